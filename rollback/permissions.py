"""Who may do what: the one place where it is decided, for pages and API alike.

Roles come from ``User.role``; "answers for" means being the owner or the backup. What a person may see is
decided by the selectors (``visible_runs`` and the like), so that other people's things answer 404.
"""

from collections.abc import Callable
from typing import Any

from rules.permissions import add_perm
from rules.predicates import Predicate

from rollback.ownership.models import Role, User


def predicate(rule: Callable[[User, Any], bool]) -> Predicate:
    """``rule(user, thing)`` for active people, to combine with ``&``, ``|`` and ``~``; ``thing`` may be None."""

    def holds(user: object, thing: object = None) -> bool:
        return isinstance(user, User) and user.is_active and rule(user, thing)

    return Predicate(holds, name=rule.__name__)


def role(*roles: str) -> Predicate:
    """Whether the person has one of ``roles``."""
    return predicate(lambda user, _: user.role in roles)


@predicate
def answers_for(user: User, owned: Any) -> bool:
    """Whether the person is the owner or the backup of a workflow, a system or a runbook."""
    return owned is not None and user.pk in (owned.owner_id, owned.backup_id)


@predicate
def answers_for_run(user: User, run: Any) -> bool:
    """Whether the person answers for the run's workflow."""
    return run is not None and answers_for.test(user, run.workflow)


@predicate
def may_decide(user: User, approval: Any) -> bool:
    """Whether the person was asked: fixed when the approval was asked for, so that nobody becomes a decider later."""
    if approval is None or user.pk == approval.requester_id:
        return False
    return any(decider.pk == user.pk for decider in approval.deciders.all())


@predicate
def has_it_in_hand(user: User, compensation: Any) -> bool:
    """Whether the compensation was handed over to the person, or is of a system that they answer for."""
    if compensation is None:
        return False
    return user.pk == compensation.handed_to_id or answers_for.test(user, compensation.step.system)


is_lead = role(Role.LEAD, Role.ADMIN)
reads_only = role(Role.VIEWER)

PERMISSIONS = {
    "rollback.preview": ~reads_only & (is_lead | role(Role.MANAGER) | answers_for_run),
    "rollback.start": is_lead,
    "rollback.control": is_lead,
    "compensation.finish": ~reads_only & (is_lead | has_it_in_hand),
    "approval.decide": ~reads_only & may_decide,
    "catalog.import": role(Role.ADMIN, Role.MANAGER) | (~reads_only & answers_for),
    "people.manage": role(Role.ADMIN),
}

for name, rule in PERMISSIONS.items():
    add_perm(name, rule)
