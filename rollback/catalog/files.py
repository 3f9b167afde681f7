"""The shape of the files that people write: workflows, systems, runbooks, teams and people (API.md).

Times are durations as people write them (``10s``). The JSON Schema in ``docs/schema/`` is made from these models.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from rollback.catalog.cel import compile_expression
from rollback.catalog.durations import parse_duration, write_duration
from rollback.catalog.templates import Slot, parse, strings
from rollback.errors import Invalid

STEP_NAMES = frozenset({"input", "output", "step", "run"})
RULE_NAMES = frozenset({"input", "run", "workflow"})
CHECK_NAMES = frozenset({"response", "input", "output"})

Duration = Annotated[
    timedelta,
    BeforeValidator(lambda value: value if isinstance(value, timedelta) else parse_duration(value)),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d|w)$", "examples": ["10s", "15m", "30d"]}),
]


def _expression(source: str, names: frozenset[str]) -> str:
    try:
        unknown = compile_expression(source).variables - names - _bound_by_macros(source)
    except Invalid as error:
        raise ValueError(str(error)) from error
    if unknown:
        raise ValueError(f"unknown name {', '.join(sorted(unknown))}: there are {', '.join(sorted(names))}")
    return source


def _bound_by_macros(source: str) -> frozenset[str]:
    """The names that macros bind: ``x`` in ``list.all(x, x > 2)``."""
    return frozenset(re.findall(r"\.\s*(?:map|filter|all|exists|exists_one)\s*\(\s*([A-Za-z_]\w*)\s*,", source))


def _templates(value: Any) -> Any:
    for pointer, text in strings(value):
        try:
            for piece in parse(text):
                if isinstance(piece, Slot):
                    _expression(piece.source, STEP_NAMES)
        except (Invalid, ValueError) as error:
            raise ValueError(f"{pointer.lstrip('/') or 'value'}: {error}") from error
    return value


Rule = Annotated[str, BeforeValidator(lambda source: _expression(str(source), RULE_NAMES))]
Check = Annotated[str, BeforeValidator(lambda source: _expression(str(source), CHECK_NAMES))]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
Approver = Annotated[str, Field(pattern=r"^(workflow_owner|system_owner|team:[a-z0-9-]+|[^@\s:]+@[^@\s]+\.[^@\s]+)$")]


class Part(BaseModel):
    """What all parts of a file have in common: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Request(Part):
    """One HTTP request; every text in it may hold templates. ``path`` is below the system's base URL."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: str = Field(min_length=1, max_length=2000)
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: Any = None

    @model_validator(mode="after")
    def templates_are_well_formed(self) -> Self:
        """Every template parses and names only what there is."""
        _templates({"path": self.path, "headers": self.headers, "query": self.query, "body": self.body})
        return self


class Retry(Part):
    """When to try again: ``attempts`` in all, the first wait, and how it grows."""

    attempts: int = Field(5, ge=1, le=100)
    first: Duration = timedelta(seconds=1)
    factor: float = Field(2.0, ge=1, le=10)
    max: Duration = timedelta(seconds=60)


class Compensation(Part):
    """How a step is taken back."""

    executor: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "http"
    request: dict[str, Any] | None = None
    succeeds_when: Check | None = None
    timeout: Duration = timedelta(seconds=10)
    retry: Retry = Retry()

    @model_validator(mode="after")
    def request_fits_the_executor(self) -> Self:
        """An HTTP compensation needs an HTTP request; templates hold for every executor."""
        if self.executor == "http":
            self.request = Request.model_validate(self.request or {}).model_dump()
        _templates(self.request)
        return self


class Look(Part):
    """A drift check or a verification: a request, and what its response must be like."""

    request: Request
    expect: Check
    timeout: Duration = timedelta(seconds=10)


class Verification(Look):
    """Looks until ``expect`` holds, at most ``within``."""

    within: Duration = timedelta(seconds=30)


class Rehearsal(Part):
    """What is sent instead when the plan is rehearsed."""

    request: Request


class Approval(Part):
    """When a person must say yes, and who."""

    when: Rule = "true"
    from_: list[Approver] = Field(["workflow_owner"], alias="from", min_length=1)
    quorum: int = Field(1, ge=1, le=10)
    expires: Duration = timedelta(hours=2)


class Action(Part):
    """One kind of step."""

    key: str = Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_.:-]+$")
    system: Slug
    reversibility: Literal["reversible", "compensatable", "irreversible"]
    undo_window: Duration | None = None
    approval: Approval | None = None
    compensation: Compensation | None = None
    drift_check: Look | None = None
    verification: Verification | None = None
    rehearsal: Rehearsal | None = None
    runbook: Slug | None = None

    @model_validator(mode="after")
    def irreversible_has_no_undo(self) -> Self:
        """What cannot be taken back has no compensation; a runbook says what to do instead."""
        if self.reversibility == "irreversible" and self.compensation:
            raise ValueError("an irreversible action cannot have a compensation")
        return self


class Rollback(Part):
    """How runs of the workflow are taken back."""

    on_run_failure: Literal["ask", "automatic"] = "ask"
    on_compensation_failure: Literal["hold", "continue"] = "hold"
    recovery_target: Duration | None = None


class Document(Part):
    """What every file starts with."""

    api_version: Literal["recourse/v1"] = Field(alias="apiVersion")


class WorkflowFile(Document):
    """``kind: Workflow``"""

    kind: Literal["Workflow"]
    slug: Slug
    name: str = Field(min_length=1, max_length=200)
    owner: Email
    backup: Email | None = None
    team: Slug | None = None
    risk: Literal["low", "medium", "high"] = "medium"
    undeclared_actions: Literal["allow", "refuse"] = "refuse"
    rollback: Rollback = Rollback()
    actions: list[Action] = Field(max_length=500)

    @model_validator(mode="after")
    def keys_are_unique(self) -> Self:
        """Two actions of one key could not be told apart."""
        keys = [action.key for action in self.actions]
        if doubled := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"actions: {', '.join(doubled)} is there twice")
        return self


class SystemFile(Document):
    """``kind: System``"""

    kind: Literal["System"]
    slug: Slug
    name: str = Field(min_length=1, max_length=200)
    owner: Email
    backup: Email | None = None
    team: Slug | None = None
    tier: int = Field(3, ge=1, le=4)
    base_url: str = Field("", pattern=r"^(https?://[^\s@]+)?$", max_length=500)
    allowed_hosts: list[str] = []
    allow_http: bool = False
    allow_private: bool = False
    depends_on: list[Slug] = []
    concurrency: int = Field(8, ge=1, le=1000)
    rate: str = Field("", pattern=r"^(\d+/(s|m|h))?$")
    signing_secret: str = Field("", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")


class RunbookStep(Part):
    """One step that a person follows; ``body`` is Markdown."""

    title: str = Field(min_length=1, max_length=200)
    body: str = ""
    evidence: Literal["none", "text", "link"] = "none"


class RunbookFile(Document):
    """``kind: Runbook``"""

    kind: Literal["Runbook"]
    slug: Slug
    title: str = Field(min_length=1, max_length=200)
    owner: Email
    backup: Email | None = None
    team: Slug | None = None
    steps: list[RunbookStep] = Field(min_length=1, max_length=100)
    review_every: Duration | None = None


class TeamFile(Document):
    """``kind: Team``"""

    kind: Literal["Team"]
    slug: Slug
    name: str = Field(min_length=1, max_length=120)


class PersonFile(Document):
    """``kind: Person``"""

    kind: Literal["Person"]
    email: Email
    name: str = Field(min_length=1, max_length=120)
    role: Literal["viewer", "owner", "incident_lead", "manager", "admin"] = "owner"
    team: Slug | None = None


AnyFile = TeamFile | PersonFile | SystemFile | RunbookFile | WorkflowFile
KINDS: dict[str, type[AnyFile]] = {
    "Team": TeamFile,
    "Person": PersonFile,
    "System": SystemFile,
    "Runbook": RunbookFile,
    "Workflow": WorkflowFile,
}
