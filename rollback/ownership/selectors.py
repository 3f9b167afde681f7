"""Who there is, and who sees what."""

from django.db.models import Q

from rollback.ownership.models import Role, User

SEES_EVERYTHING = frozenset({Role.LEAD, Role.MANAGER, Role.ADMIN, Role.VIEWER})


def sees_everything(user: User) -> bool:
    """Leads, managers, administrators and viewers read everything; owners what is theirs or their team's."""
    return user.role in SEES_EVERYTHING


def theirs(user: User, prefix: str = "") -> Q:
    """What ``user`` or their team owns, for things with an owner, a backup and a team below ``prefix``."""
    mine = Q(**{f"{prefix}owner": user}) | Q(**{f"{prefix}backup": user})
    return mine | Q(**{f"{prefix}team": user.team_id}) if user.team_id else mine


def active_person(email: str) -> User | None:
    """The active person with this address, in any case."""
    return User.objects.filter(email=email.lower(), is_active=True).first()
