"""Asks the permission rules and the visible rows, and says no in one way for pages and API."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from rollback.errors import NotFound, NotPermitted
from rollback.ownership.models import User

M = TypeVar("M", bound=Model)


WHO_CAN = {
    "rollback.preview": "The workflow's owner, incident leads, managers and administrators can.",
    "rollback.start": "Incident leads and administrators can.",
    "rollback.control": "Incident leads and administrators can.",
    "compensation.finish": "Whoever has it in hand, the system's owner and incident leads can.",
    "approval.decide": "Those who were asked can.",
    "catalog.import": "The owner, managers and administrators can.",
    "people.manage": "Administrators can.",
}
"""Who can help where a permission is missing, in words."""


def found(rows: "QuerySet[M]", pk: object, noun: str) -> M:
    """The one of ``rows`` with ``pk``; ``rows`` are those that the caller may see.

    Raises ``NotFound`` (``unknown-<noun>``) alike for what is not there and for what is not the caller's to see.
    """
    thing = rows.filter(pk=pk).first()
    if thing is None:
        raise NotFound(f"There is no such {noun}, or not for you.", f"unknown-{noun}")
    return thing


def allowed(user: User, permission: str, thing: Any = None) -> bool:
    """Whether ``user`` has ``permission`` (a name from ``permissions.py``) on ``thing``."""
    return user.is_active and user.has_perm(permission, thing)


def require(user: User, permission: str, thing: Any = None) -> None:
    """Raises ``NotPermitted`` unless ``user`` has ``permission`` on ``thing``, which they may see (``found``)."""
    if not allowed(user, permission, thing):
        raise NotPermitted(f"Your role does not allow this. {WHO_CAN.get(permission, '')}".strip())
