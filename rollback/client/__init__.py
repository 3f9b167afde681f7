"""Recourse for agents: report what you do, wait where a person must say yes, stop when told to.

    from rollback.client import Effect, Recourse

    recourse = Recourse("https://recourse.example.org", token="…")  # or RECOURSE_URL and RECOURSE_TOKEN
    with recourse.run("onboard-employee", goal="Onboard Ada") as run:
        with run.step("directory.create_user", input={"name": "Ada"}) as step:
            user = directory.create("Ada")
            step.succeeded(output={"id": user.id}, effects=[Effect("directory", "user", user.id)])

Needs httpx and nothing else; never imports Django.
"""

from rollback.client.errors import (
    ApiError,
    ApprovalExpired,
    ApprovalRefused,
    ApprovalTimeout,
    Halted,
    NoRun,
    OutcomeUnknown,
    Problem,
    RecourseError,
    Stopped,
    Undelivered,
    Unreachable,
)
from rollback.client.recourse import Recourse
from rollback.client.run import Run
from rollback.client.step import Step
from rollback.client.types import (
    Approval,
    Effect,
    FinishedStep,
    Look,
    ReportedStep,
    Request,
    Retry,
    Reversibility,
    Undo,
    UndoReport,
    UndoState,
    Verdict,
)

__all__ = [
    "ApiError",
    "Approval",
    "ApprovalExpired",
    "ApprovalRefused",
    "ApprovalTimeout",
    "Effect",
    "FinishedStep",
    "Halted",
    "Look",
    "NoRun",
    "OutcomeUnknown",
    "Problem",
    "Recourse",
    "RecourseError",
    "ReportedStep",
    "Request",
    "Retry",
    "Reversibility",
    "Run",
    "Step",
    "Stopped",
    "Undelivered",
    "Undo",
    "UndoReport",
    "UndoState",
    "Unreachable",
    "Verdict",
]
