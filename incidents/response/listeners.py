"""Listens to what the rollback app announces, in the transaction in which it became true."""

from django.dispatch import receiver

from incidents.response import services
from incidents.response.models import EntryKind, Incident
from incidents.response.states import IncidentState
from rollback import signals
from rollback.audit.actors import RECOURSE
from rollback.models import Compensation, Rollback, Run
from rollback.recovery.states import RollbackState
from rollback.runs.states import RunState, StepState

_WENT_WRONG = {RunState.FAILED: "Run failed", RunState.HALTED: "Run halted", RunState.LOST: "Run lost"}
_IN_WORDS = {
    RollbackState.RUNNING: "Rollback running",
    RollbackState.PAUSED: "Rollback paused",
    RollbackState.NEEDS_ATTENTION: "Rollback needs attention",
    RollbackState.COMPLETED: "Rollback completed: every step is restored",
    RollbackState.PARTIAL: "Rollback ended with steps left",
    RollbackState.CANCELLED: "Rollback cancelled",
}


@receiver(signals.run_ended)
def open_incident(run: Run, **_: object) -> None:
    """A run that went wrong opens an incident, or joins the one of the same cause."""
    why = _WENT_WRONG.get(RunState(run.state))
    if why is None:
        return
    failed = run.steps.filter(state__in=[StepState.FAILED, StepState.REFUSED]).order_by("-number").first()
    where = failed.action_key if failed else ""
    title = f"{run.workflow.name}: {why.lower()}" + (f" at {where}" if where else "")
    services.open_for_run(run, f"{run.state}:{run.workflow.slug}:{where}", title, why)
    # An automatic rollback may have been faster than the incident that it belongs to.
    for rollback in run.rollbacks.filter(state=RollbackState.RUNNING):
        follow_rollback(rollback)


@receiver(signals.rollback_moved)
def follow_rollback(rollback: Rollback, **_: object) -> None:
    """What a rollback does is part of the history of the incidents of its run."""
    words = _IN_WORDS.get(RollbackState(rollback.state))
    if words is None or rollback.rehearsal:
        return
    for incident in _unrecovered_of(rollback.run):
        services.add_entry(incident, EntryKind.ROLLBACK, words, RECOURSE, link=f"/rollbacks/{rollback.pk}/")
        if rollback.state == RollbackState.RUNNING:
            _take_up(incident, rollback)
        if rollback.state == RollbackState.COMPLETED and not _open_runs(incident):
            services.recover(incident, RECOURSE)


def _take_up(incident: Incident, rollback: Rollback) -> None:
    """Who rolls back leads, where nobody does yet. What goes by itself leaves it open for somebody to lead."""
    if incident.state == IncidentState.OPEN and rollback.started_by is not None:
        services.acknowledge(incident, rollback.started_by)
    if incident.state == IncidentState.ACKNOWLEDGED:
        services.mitigate(incident, RECOURSE)


@receiver(signals.compensation_handed_over)
def note_hand_over(compensation: Compensation, **_: object) -> None:
    """A compensation that a person has to finish shows on the incident, and opens one where there is none."""
    rollback = compensation.rollback
    who = compensation.handed_to.name if compensation.handed_to else "nobody: it has no owner"
    text = f"{compensation.step.action_key} handed over to {who}: {compensation.last_error}"
    incidents = list(_unrecovered_of(rollback.run))
    if not incidents:
        title = f"{rollback.run.workflow.name}: compensation failed at {compensation.step.action_key}"
        incidents = [services.open_for_run(rollback.run, f"compensation:{rollback.pk}", title, "Compensation failed")]
    for incident in incidents:
        services.add_entry(incident, EntryKind.HANDED_OVER, text, RECOURSE, link=f"/rollbacks/{rollback.pk}/")


def _unrecovered_of(run: Run) -> "list[Incident]":
    return list(Incident.objects.filter(runs=run, state__in=services.UNRECOVERED).select_for_update(of=("self",)))


def _open_runs(incident: Incident) -> bool:
    """Whether a run of the incident still waits to be taken back."""
    return incident.runs.exclude(state=RunState.ROLLED_BACK).exists()
