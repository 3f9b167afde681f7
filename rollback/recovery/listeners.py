"""Listens to what the runs slice announces, in the transaction in which it became true."""

import structlog
from django.dispatch import receiver

from rollback import signals
from rollback.approvals.models import Approval, ApprovalKind
from rollback.approvals.states import ApprovalState
from rollback.audit.actors import Actor
from rollback.errors import Refused
from rollback.recovery.services import join_late_result, roll_back_automatically, waive
from rollback.runs.models import Run, Step
from rollback.runs.states import RunState

log = structlog.get_logger(__name__)


@receiver(signals.run_ended)
def roll_back_failed_run(run: Run, **_: object) -> None:
    """Where the workflow says so, a failed run is taken back without waiting for a person."""
    if run.state not in (RunState.FAILED, RunState.LOST) or run.version.on_run_failure != "automatic":
        return
    try:
        roll_back_automatically(run)
    except Refused as refused:
        # The run has failed all the same; the incident that it opened asks a person.
        log.warning("no automatic rollback", run=str(run.pk), why=str(refused))


@receiver(signals.step_result_late)
def join_the_rollback(step: Step, **_: object) -> None:
    """What an agent reports after its run was given up belongs to the rollback that is under way."""
    join_late_result(step)


@receiver(signals.approval_concluded)
def waive_what_was_agreed(approval: Approval, actor: Actor, **_: object) -> None:
    """A second person agreed to leave a step as it is."""
    if approval.kind == ApprovalKind.WAIVER and approval.state == ApprovalState.APPROVED:
        waive(approval, actor)
