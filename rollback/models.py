"""Gathers the models of all slices, so that Django finds them in one place."""

from rollback.approvals.models import Approval, Decision
from rollback.audit.models import AuditChain, AuditCheckpoint, AuditEvent
from rollback.catalog.models import Action, Runbook, RunbookVersion, System, Workflow, WorkflowVersion
from rollback.ownership.models import AgentToken, PersonalToken, Team, User
from rollback.recovery.models import Attempt, Compensation, CompensationOrder, Rollback, WorkerSighting
from rollback.runs.models import Effect, ResourceUse, Run, Step
from rollback.web.models import IdempotencyKey

__all__ = [
    "Action",
    "AgentToken",
    "Approval",
    "Attempt",
    "AuditChain",
    "AuditCheckpoint",
    "AuditEvent",
    "Compensation",
    "CompensationOrder",
    "Decision",
    "Effect",
    "IdempotencyKey",
    "PersonalToken",
    "ResourceUse",
    "Rollback",
    "Run",
    "Runbook",
    "RunbookVersion",
    "Step",
    "System",
    "Team",
    "User",
    "WorkerSighting",
    "Workflow",
    "WorkflowVersion",
]
