"""What the pages show in these tests: an office in the middle of its day, with something in every state."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from incidents.response.models import Incident
from incidents.response.services import acknowledge, add_note
from rollback.approvals.models import Approval
from rollback.catalog.models import WorkflowVersion
from rollback.recovery.coordinator import Coordinator
from rollback.recovery.models import Rollback
from rollback.recovery.preview import preview
from rollback.recovery.services import pause_rollback, start_rollback
from rollback.runs.models import Run
from tests.factories import make_action, make_runbook
from tests.office import CREATE, MAIL, REFUND, Office
from tests.rollback.recovery.outside import Answer, Outside

GOAL = "Set up accounts for Priyanka Raghunathan-Oyelaran in customer success"
LONG = "urn:example:directory:tenant-0042:user:priyanka.raghunathan-oyelaran.customer-success.emea"
NOTE = "crm.write_note"
WHOLE = {"kind": "all", "cascade": False}
SOURCE = """apiVersion: recourse/v1
kind: Workflow
slug: onboard
name: Onboard
owner: olu.owner@example.org
actions:
  - key: directory.create_user
    system: directory
    reversibility: reversible
"""


@dataclass
class Scenery:
    """The office, the world outside it, and what happens there."""

    office: Office
    world: Outside

    def furnish(self) -> None:
        """Systems lead outside, a runbook stands beside what software cannot undo, a second version was written."""
        office = self.office
        for system in (office.directory, office.billing):
            system.base_url, system.allow_http, system.allow_private = self.world.url, True, True
            system.save()
        steps = (
            {"title": "Find the note", "body": f"Open the **CRM** and look for `{LONG}`.", "evidence": "none"},
            {"title": "Remove it", "body": "1. Archive it\n2. Tell its reader", "evidence": "link"},
        )
        runbook = make_runbook("remove-a-note-by-hand", office.system_owner, *steps)
        make_action(
            office.onboard,
            NOTE,
            office.directory,
            reversibility="compensatable",
            compensation=None,
            verification=None,
            runbook=runbook,
        )
        WorkflowVersion.objects.filter(workflow=office.onboard).update(source=SOURCE, risk="high")
        document = {"actions": [{"key": CREATE, "reversibility": "irreversible"}]}
        WorkflowVersion.objects.create(
            workflow=office.onboard, number=2, document=document, source=SOURCE, checksum="", created_by=office.owner
        )

    def made_user(self, run: str, ref: str, after: list[str] | None = None) -> str:
        """A step that made a user, who is there outside too; its id."""
        office = self.office
        self.world.things.add(f"/users/{ref}")
        step = office.step(run, CREATE, input={"name": "Priyanka Raghunathan-Oyelaran", "id": ref}, depends_on=after)
        effects = [{"system": "directory", "kind": "user", "ref": LONG}]
        office.result(step, output={"id": ref}, effects=effects)
        return step

    def asked(self, amount: int = 900, action: str = REFUND) -> Approval:
        """A request for a yes, of a run of its own."""
        run = self.office.run(goal=GOAL)
        step = self.office.step(run, action, input={"amount": amount, "to": LONG})
        return Approval.objects.get(step_id=step)

    def decided(self, verdict: str, reason: str) -> Approval:
        """A request that Sam answered."""
        approval = self.asked()
        caller = self.office.person(self.office.system_owner)
        caller.post(f"/approvals/{approval.pk}/decide", {"verdict": verdict, "reason": reason}).ok()
        return approval

    def busy_run(self) -> Run:
        """A run that is under way: done, under way, and waiting for a yes."""
        run = self.office.run(goal=GOAL)
        first = self.made_user(run, "busy-1", [])
        self.made_user(run, "busy-2", [first])
        self.office.step(run, CREATE, input={"id": "busy-3"}, depends_on=[first])
        self.office.step(run, REFUND, input={"amount": 900, "to": LONG})
        return Run.objects.get(pk=run)

    def failed_run(self, prefix: str = "failed") -> Run:
        """A failed run whose steps fall into every group of a preview, and its incident."""
        office, run = self.office, self.office.run(goal=GOAL)
        first = self.made_user(run, f"{prefix}-1", [])
        self.made_user(run, f"{prefix}-2", [first])
        noted = office.step(run, NOTE, input={"text": "Welcome"}, depends_on=[first])
        office.result(noted, output={"id": "n-1"}, effects=[{"system": "directory", "kind": "note", "ref": "n-1"}])
        refund = office.step(run, REFUND, input={"amount": 120, "to": LONG}, depends_on=[])
        spent = {"system": "billing", "kind": "refund", "ref": "r-1", "amount": "120.50", "currency": "EUR"}
        office.result(refund, output={"id": "r-1"}, effects=[spent])
        mail = office.step(run, MAIL, input={"to": "priyanka@example.org"})
        approval = Approval.objects.get(step_id=mail)
        yes = {"verdict": "approve", "reason": "She starts on Monday."}
        office.person(office.owner).post(f"/approvals/{approval.pk}/decide", yes).ok()
        office.result(mail, output={"id": "m-1"}, effects=[{"system": "directory", "kind": "mail", "ref": "m-1"}])
        office.step(run, CREATE, input={"id": f"{prefix}-3"})
        office.finish(run, "failed", error=f"HTTP 422 from the directory: {LONG} has no such group")
        return Run.objects.get(pk=run)

    def small_failed_run(self, prefix: str, users: int = 3) -> Run:
        """A failed run that made some users and nothing else: software can take back all of it."""
        run = self.office.run(goal=GOAL)
        for number in range(users):
            self.made_user(run, f"{prefix}-{number}", [])
        self.office.finish(run, "failed", error="The last group does not exist.")
        return Run.objects.get(pk=run)

    def started(self, run: Run) -> Rollback:
        """Its rollback, started by the lead; nobody works on it yet."""
        return start_rollback(run, WHOLE, "The role does not exist.", preview(run, WHOLE).hash, self.office.lead)

    def worked_on(self, rollback: Rollback) -> Rollback:
        """The rollback after a worker's stay."""
        with ThreadPoolExecutor(8) as pool:
            Coordinator(rollback.pk, pool, lanes=8, slice_seconds=10).run()
        rollback.refresh_from_db()
        return rollback

    def stuck_rollback(self) -> Rollback:
        """A rollback that needs a person: the world says no to one step."""
        run = self.small_failed_run("stuck")
        self.world.always["DELETE", "/users/stuck-1"] = Answer(403, {"error": f"{LONG} is locked by legal hold"})
        return self.worked_on(self.started(run))

    def led_incident(self, run: Run) -> Incident:
        """The incident of a failed run, with somebody who leads it and a note."""
        incident = Incident.objects.get(incident_runs__run=run)
        acknowledge(incident, self.office.lead)
        add_note(incident, f"Told the people who use {LONG}.", self.office.lead)
        return incident

    def everything(self) -> dict[str, object]:
        """Something of every kind in every state; the id of each by its name."""
        self.furnish()
        busy, failed = self.busy_run(), self.failed_run()
        incident = self.led_incident(failed)
        moving = self.started(self.small_failed_run("moving"))
        paused = self.started(self.small_failed_run("paused"))
        pause_rollback(paused, self.office.lead)
        ended = self.worked_on(self.started(self.small_failed_run("ended")))
        stuck = self.stuck_rollback()
        more = {"agent": "onboarder", "state": "succeeded", "workflow": busy.workflow, "version": busy.version}
        Run.objects.bulk_create(Run(goal=f"{GOAL}, number {number}", **more) for number in range(60))
        return {
            "busy": busy.pk,
            "failed": failed.pk,
            "moving": moving.pk,
            "paused": paused.pk,
            "ended": ended.pk,
            "stuck": stuck.pk,
            "handed_over": stuck.compensations.get(state="handed_over").pk,
            "undone": ended.compensations.order_by("position")[0].pk,
            "pending": self.asked().pk,
            "irreversible": self.asked(action=MAIL).pk,
            "approved": self.decided("approve", "The invoice is right.").pk,
            "refused": self.decided("refuse", "The amount is wrong.").pk,
            "incident": incident.pk,
        }
