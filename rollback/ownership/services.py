"""Teams and people: who there is. Their own verbs, so that nothing else writes them."""

from rollback.ownership.models import Team, User


def set_team(slug: str, name: str) -> str:
    """Make or rename the team; answers what changed: ``new``, ``changed`` or ``unchanged``."""
    team, created = Team.objects.get_or_create(slug=slug, defaults={"name": name})
    if created:
        return "new"
    if team.name == name:
        return "unchanged"
    Team.objects.filter(pk=team.pk).update(name=name)
    return "changed"


def set_person(email: str, name: str, role: str, team: Team | None) -> str:
    """Make or change the person; answers ``new``, ``changed`` or ``unchanged``. A new one has no password yet."""
    person = User.objects.filter(email=email.lower()).first()
    if person is None:
        User.objects.create_user(email, name=name, role=role, team=team)
        return "new"
    if (person.name, person.role, person.team_id) == (name, role, team.pk if team else None):
        return "unchanged"
    User.objects.filter(pk=person.pk).update(name=name, role=role, team=team)
    return "changed"
