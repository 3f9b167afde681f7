"""Listens to what the runs slice announces, in the transaction in which it became true."""

from django.dispatch import receiver

from rollback import signals
from rollback.approvals.gates import gate_for
from rollback.approvals.services import request_approval, withdraw_for_run
from rollback.audit.actors import RECOURSE
from rollback.runs.models import Run, Step


@receiver(signals.step_proposed)
def ask_where_a_gate_stands(step: Step, **_: object) -> None:
    """A step before a gate waits for a yes."""
    gate = gate_for(step, step.run)
    if gate is not None:
        request_approval(step, step.run, gate)


@receiver(signals.run_ended)
def withdraw_open_requests(run: Run, **_: object) -> None:
    """A run that has ended asks for nothing any more."""
    withdraw_for_run(run, RECOURSE)
