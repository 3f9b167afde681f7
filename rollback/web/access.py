"""Asks the permission rules, and says no in one way for pages and API."""

from typing import Any

from rollback.errors import NotPermitted
from rollback.ownership.models import User


def allowed(user: User, permission: str, thing: Any = None) -> bool:
    """Whether ``user`` has ``permission`` (a name from ``permissions.py``) on ``thing``."""
    return user.is_active and user.has_perm(permission, thing)


def require(user: User, permission: str, thing: Any = None) -> None:
    """Raises ``NotPermitted`` unless ``user`` has ``permission`` on ``thing``.

    What a person may not even see is left out by the selectors, so that it answers 404.
    """
    if not allowed(user, permission, thing):
        raise NotPermitted(f"Your role does not allow this ({permission}).")
