"""Incidents open by themselves when a run goes wrong, and one cause is one incident."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from incidents.models import Incident
from incidents.response import services
from rollback.audit.actors import RECOURSE
from rollback.audit.models import AuditEvent
from rollback.audit.verify import broken_links
from rollback.catalog.models import WorkflowVersion
from rollback.errors import Conflict
from rollback.models import Run
from rollback.runs.services import halt_run, lose_silent_runs
from tests.office import CREATE, MAIL, REFUND, Office, open_office, stored_run, stored_step


def fail(office: Office, action: str = CREATE) -> str:
    """A run that failed at ``action``; its id."""
    run = office.run()
    office.result(office.step(run, action, input={"amount": 5}), "failed", error="No more disk")
    office.finish(run, "failed")
    return run


def lose(office: Office) -> str:
    """A run whose agent fell silent; its id."""
    run = office.run()
    lose_silent_runs(timezone.now() + timedelta(hours=1))
    return run


def runs_of(incident: Incident) -> set[str]:
    """The ids of its runs."""
    return {str(pk) for pk in incident.runs.values_list("pk", flat=True)}


def entries(incident: Incident) -> list[tuple[str, str]]:
    """Its timeline: kinds and texts."""
    return list(incident.timeline.values_list("kind", "text"))


def test_a_run_that_failed_opens_an_incident_that_names_where(office: Office) -> None:
    run = fail(office)

    incident = Incident.objects.get()
    assert (incident.title, incident.state) == ("Onboard: run failed at directory.create_user", "open")
    assert (incident.lead, runs_of(incident)) == (None, {run})


def test_a_run_that_was_halted_opens_an_incident(office: Office) -> None:
    run = office.run()
    halt_run(stored_run(run), "Stop it.", office.lead.actor())

    incident = Incident.objects.get()
    assert (incident.title, runs_of(incident)) == ("Onboard: run halted", {run})


def test_a_run_that_was_lost_opens_an_incident(office: Office) -> None:
    run = lose(office)

    incident = Incident.objects.get()
    assert (incident.title, runs_of(incident)) == ("Onboard: run lost", {run})


def test_a_run_that_succeeded_opens_none(office: Office) -> None:
    run = office.run()
    office.did(run)
    office.finish(run)

    assert not Incident.objects.exists()


def test_the_incident_shares_the_transaction_of_the_end(office: Office) -> None:
    run = stored_run(office.run())
    with transaction.atomic():
        halt_run(run, "Stop it.", RECOURSE)
        transaction.set_rollback(True)

    assert stored_run(str(run.pk)).state == "running"
    assert not Incident.objects.exists()


def test_the_timeline_and_the_history_tell_how_it_began(office: Office) -> None:
    run = fail(office)

    incident = Incident.objects.get()
    name = str(stored_run(run))
    assert entries(incident) == [("opened", "Incident opened as SEV3"), ("run_added", f"Run failed: {name}")]
    assert [entry.link for entry in incident.timeline.all()] == ["", f"/runs/{run}/"]
    assert {entry.actor_name for entry in incident.timeline.all()} == {"Recourse"}
    events = AuditEvent.objects.filter(kind="incident", subject=incident.pk).order_by("number")
    assert [event.type for event in events] == ["incident.open", "incident.run_added"]
    assert list(broken_links()) == []


def test_runs_that_failed_alike_are_one_incident(office: Office) -> None:
    runs = {fail(office), fail(office)}

    incident = Incident.objects.get()
    assert runs_of(incident) == runs
    assert [kind for kind, _ in entries(incident)] == ["opened", "run_added", "run_added"]


def test_runs_that_failed_elsewhere_or_otherwise_are_another(office: Office) -> None:
    fail(office)
    fail(office, REFUND)
    lose(office)

    assert Incident.objects.count() == 3


def test_the_last_step_that_went_wrong_says_where(office: Office) -> None:
    run = office.run()
    office.result(office.step(run), "failed")
    refused = stored_step(office.step(run, MAIL))
    office.person(office.owner).post(
        f"/approvals/{refused.approvals.get().pk}/decide", {"verdict": "refuse", "reason": "Not this mail."}
    ).ok()
    office.finish(run, "failed")

    assert Incident.objects.get().title == "Onboard: run failed at mail.send"


@pytest.mark.parametrize("action", ["acknowledge", "mitigate"])
def test_an_incident_that_is_worked_on_still_takes_in_more(office: Office, action: str) -> None:
    fail(office)
    incident = Incident.objects.get()
    _carry_out(incident, action, office)
    second = fail(office)

    assert second in runs_of(Incident.objects.get())


def test_after_recovery_the_same_cause_is_a_new_incident(office: Office) -> None:
    first = fail(office)
    services.recover(Incident.objects.get(), RECOURSE)
    second = fail(office)

    old, new = Incident.objects.order_by("number")
    assert (runs_of(old), runs_of(new)) == ({first}, {second})
    assert (old.state, new.state) == ("recovered", "open")


def _carry_out(incident: Incident, action: str, office: Office) -> None:
    if action == "acknowledge":
        services.acknowledge(incident, office.lead)
    else:
        services.mitigate(incident, RECOURSE)


def test_a_workflow_of_high_risk_makes_it_sev2(office: Office) -> None:
    WorkflowVersion.objects.filter(workflow=office.onboard).update(risk="high")
    fail(office)

    assert Incident.objects.get().severity == "sev2"


def test_a_worse_run_raises_the_severity_and_a_milder_one_does_not_lower_it(office: Office) -> None:
    versions = WorkflowVersion.objects.filter(workflow=office.onboard)
    seen = []
    for risk in ("low", "high", "low"):
        versions.update(risk=risk)
        fail(office)
        seen.append(Incident.objects.get().severity)

    assert seen == ["sev3", "sev2", "sev2"]


def test_the_impact_began_with_the_first_step_that_changed_something(office: Office) -> None:
    run = office.run()
    office.result(office.step(run, CREATE))  # without an effect
    changed = office.did(run)
    office.did(run, "u-2")
    office.finish(run, "failed")

    assert Incident.objects.get().impact_started_at == stored_step(changed).finished_at


def test_the_impact_of_a_run_without_effects_began_with_it(office: Office) -> None:
    run = lose(office)

    assert Incident.objects.get().impact_started_at == stored_run(run).started_at


def test_the_same_run_is_added_once(office: Office) -> None:
    run = stored_run(fail(office))
    incident = Incident.objects.get()
    services.open_for_run(run, incident.cause, incident.title, "Again")

    assert [kind for kind, _ in entries(incident)] == ["opened", "run_added"]


def test_numbers_are_never_given_twice(office: Office) -> None:
    fail(office)
    lose(office)

    numbers = list(Incident.objects.values_list("number", flat=True))
    assert len(set(numbers)) == 2
    assert str(Incident.objects.earliest("number")).startswith(f"INC-{min(numbers)} ")


@pytest.mark.django_db(transaction=True)
def test_runs_that_fail_alike_at_once_are_one_incident() -> None:
    office = open_office()
    runs = [stored_run(office.run()) for _ in range(6)]
    gate = threading.Barrier(len(runs))

    def halt(run: Run) -> None:
        gate.wait()
        try:
            halt_run(run, "Stop it.", RECOURSE)
        finally:
            connection.close()

    threads = [threading.Thread(target=halt, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    incident = Incident.objects.get()
    assert runs_of(incident) == {str(run.pk) for run in runs}
    assert [kind for kind, _ in entries(incident)] == ["opened", *["run_added"] * 6]
    assert list(broken_links()) == []


def test_an_incident_whose_cause_has_a_new_one_is_not_reopened(office: Office) -> None:
    fail(office)
    old = Incident.objects.get()
    services.recover(old, RECOURSE)
    fail(office)
    new = Incident.objects.get(state="open")

    with pytest.raises(Conflict, match=f"INC-{new.number} is open about the same cause"):
        services.reopen(old, office.lead)

    assert Incident.objects.get(pk=old.pk).state == "recovered"
    assert old.timeline.filter(kind="state").count() == 1
