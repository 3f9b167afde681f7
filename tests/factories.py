"""People, systems, workflows, tokens and runs for tests: small functions with defaults that make sense together."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from rollback.catalog.models import Action, Runbook, RunbookVersion, System, Workflow, WorkflowVersion
from rollback.ownership.models import AgentToken, PersonalToken, Role, Team, User

_numbers = count(1)

DELETE_USER = {
    "executor": "http",
    "request": {"method": "DELETE", "path": "/users/${output.id}"},
    "succeeds_when": "response.status in [200, 204, 404]",
    "timeout": "10s",
    "retry": {"attempts": 5, "first": "1s", "factor": 2, "max": "60s"},
}
USER_GONE = {
    "request": {"method": "GET", "path": "/users/${output.id}"},
    "expect": "response.status == 404",
    "within": "30s",
    "timeout": "10s",
}


def make_team(slug: str = "") -> Team:
    """A team."""
    slug = slug or f"team-{next(_numbers)}"
    return Team.objects.create(slug=slug, name=slug.replace("-", " ").capitalize())


def make_person(role: str = Role.OWNER, name: str = "", **fields: Any) -> User:
    """An active person; the name tells who they are in the test."""
    name = name or f"{Role(role).label} {next(_numbers)}"
    return User.objects.create_user(f"{name.lower().replace(' ', '.')}@example.org", name=name, role=role, **fields)


def make_system(slug: str = "", owner: User | None = None, **fields: Any) -> System:
    """An outside system with an owner; nobody listens there unless the test says where."""
    slug = slug or f"system-{next(_numbers)}"
    defaults = {"name": slug.capitalize(), "base_url": f"https://{slug}.example.org"}
    return System.objects.create(slug=slug, owner=owner or make_person(), **{**defaults, **fields})


def make_workflow(slug: str = "", owner: User | None = None, undeclared: str = "refuse", **fields: Any) -> Workflow:
    """A workflow with an active first version that has no actions yet."""
    slug = slug or f"workflow-{next(_numbers)}"
    workflow = Workflow.objects.create(slug=slug, name=slug.capitalize(), owner=owner or make_person(), **fields)
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        number=1,
        document={},
        source="",
        checksum="",
        undeclared_actions=undeclared,
        activated_at=timezone.now(),
    )
    workflow.active = version
    workflow.save(update_fields=["active"])
    return workflow


def make_action(workflow: Workflow, key: str, system: System, **fields: Any) -> Action:
    """An action of the active version; by default it creates a user that its compensation deletes."""
    assert workflow.active is not None
    defaults: dict[str, Any] = {
        "position": next(_numbers),
        "reversibility": "reversible",
        "compensation": DELETE_USER,
        "verification": USER_GONE,
    }
    values = {**defaults, **fields}
    if values["reversibility"] == "irreversible" and "compensation" not in fields:
        values |= {"compensation": None, "verification": None}
    return Action.objects.create(version=workflow.active, key=key, system=system, **values)


def make_runbook(slug: str, owner: User, *steps: dict[str, str], **fields: Any) -> Runbook:
    """A runbook with one version; a step is ``{title, body, evidence}``."""
    runbook = Runbook.objects.create(slug=slug, owner=owner, **{"title": slug.replace("-", " ").capitalize(), **fields})
    runbook.current = RunbookVersion.objects.create(runbook=runbook, number=1, steps=list(steps))
    runbook.save(update_fields=["current"])
    return runbook


def make_agent(*workflows: Workflow, name: str = "agent", lives: timedelta | None = None) -> tuple[AgentToken, str]:
    """An agent's token for ``workflows``, and the key that proves it."""
    expires = timezone.now() + lives if lives is not None else None
    token, key = AgentToken.objects.create_key(name=name, expiry_date=expires)
    assert isinstance(token, AgentToken)
    token.workflows.set(workflows)
    return token, key


def make_personal_key(person: User, **fields: Any) -> str:
    """A personal token's key."""
    _, key = PersonalToken.objects.create_key(name=f"{person.name}'s token", user=person, **fields)
    return key
