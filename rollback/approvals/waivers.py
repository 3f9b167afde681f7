"""Leaving a step as it is, on the record: who is the second person, and what they are shown."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from rollback.ownership.models import Role, User
from rollback.runs.models import Run, Step

WAIVER_EXPIRES = timedelta(hours=24)


@dataclass(frozen=True)
class Waiver:
    """What somebody wants to leave as it is: the undo (``subject``) of ``step``, ``reason``, and why it was open."""

    subject: UUID
    run: Run
    step: Step
    reason: str
    last_error: str


def second_people(about: Waiver, requester: User) -> list[User]:
    """Those whose yes counts: the owners and backups of system and workflow, and the incident leads; never who asks."""
    owners = {
        person
        for owned in (about.step.system, about.run.workflow)
        for person in (owned.owner_id, owned.backup_id)
        if person is not None
    }
    leads = Q(role__in=[Role.LEAD, Role.ADMIN])
    people = User.objects.filter(Q(pk__in=owners) | leads, is_active=True).exclude(role=Role.VIEWER)
    return list(people.exclude(pk=requester.pk).order_by("name"))


def shown_for_waiver(about: Waiver, requester: User) -> dict[str, Any]:
    """Exactly what the second person is shown, as data: the decision is bound to its hash."""
    step, run = about.step, about.run
    effects = [
        {"system": effect.system.name, "kind": effect.kind, "ref": effect.ref, "count": effect.count}
        for effect in step.effects.select_related("system")
    ]
    return {
        "action": step.action_key,
        "system": {"slug": step.system.slug, "name": step.system.name, "tier": step.system.tier},
        "workflow": {"slug": run.workflow.slug, "name": run.workflow.name, "version": run.version.number},
        "run": {"id": str(run.pk), "goal": run.goal, "agent": run.agent},
        "reversibility": step.reversibility,
        "asked_by": requester.name,
        "reason": about.reason,
        "last_error": about.last_error,
        "effects": effects,
        "compensation": str(about.subject),
    }
