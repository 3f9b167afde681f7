"""Importing files into the catalog, and activating versions."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from rollback.audit.actors import Actor
from rollback.audit.chain import canonical
from rollback.audit.services import record
from rollback.catalog import files
from rollback.catalog.difference import Change, difference
from rollback.catalog.models import Action, Runbook, RunbookVersion, System, Workflow, WorkflowVersion
from rollback.catalog.parsing import Parsed, Source, parse_sources
from rollback.errors import FieldError, Invalid
from rollback.ownership.models import Owned, Team, User
from rollback.ownership.services import set_person, set_team

_ORDER = ["Team", "Person", "System", "Runbook", "Workflow"]


@dataclass(frozen=True)
class Imported:
    """What became of one document: ``new``, ``changed`` or ``unchanged``, and how it differs from before."""

    kind: str
    name: str
    outcome: str
    changes: list[Change] = field(default_factory=list)
    version: WorkflowVersion | None = None


class _DryRun(Exception):
    """Undoes a dry run."""


def import_sources(
    sources: Sequence[Source], actor: Actor, person: User | None = None, *, dry_run: bool = False, activate: bool = True
) -> list[Imported]:
    """Import all documents of ``sources`` or none, in an order that their references allow.

    A workflow or runbook that differs from its active version gets a new version; the active one is not
    touched. With ``dry_run`` nothing is kept, and the answer says what would have happened. Raises
    ``Invalid`` with every error, each naming file, field and line; ``no-active-owner`` when a version
    cannot be activated.
    """
    documents = sorted(parse_sources(sources), key=lambda parsed: _ORDER.index(parsed.file.kind))
    _refuse_doubles(documents)
    imported: list[Imported] = []
    try:
        with transaction.atomic():
            imported = _Import(actor, person).all(documents)
            if activate:
                for item in imported:
                    if item.version is not None and item.outcome != "unchanged":
                        activate_version(item.version, actor)
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return imported


def _refuse_doubles(documents: Sequence[Parsed]) -> None:
    seen: dict[tuple[str, str], Parsed] = {}
    errors = []
    for parsed in documents:
        key = (parsed.file.kind, _name(parsed))
        if key in seen:
            first = seen[key]
            errors.append(parsed.error("slug", f"{key[0]} {key[1]} is also in {first.source} line {first.line}"))
        seen[key] = parsed
    if errors:
        raise Invalid("The same thing is there twice. Nothing was imported.", "invalid-file", errors)


def _name(parsed: Parsed) -> str:
    return parsed.file.email if isinstance(parsed.file, files.PersonFile) else parsed.file.slug


class _Import:
    """One import, in one transaction: collects the errors of all documents of a kind before it gives up."""

    def __init__(self, actor: Actor, person: User | None) -> None:
        self.actor = actor
        self.person = person
        self.errors: list[FieldError] = []

    def all(self, documents: Sequence[Parsed]) -> list[Imported]:
        """Store ``documents``, which are in an order that their references allow."""
        imported: list[Imported] = []
        for kind in _ORDER:
            imported += [self._one(parsed) for parsed in documents if parsed.file.kind == kind]
        self._link_systems([parsed for parsed in documents if parsed.file.kind == "System"])
        if self.errors:
            raise Invalid(f"{len(self.errors)} error(s). Nothing was imported.", "invalid-file", self.errors)
        return imported

    def _one(self, parsed: Parsed) -> Imported:
        match parsed.file:
            case files.TeamFile() as team:
                return Imported("Team", team.slug, set_team(team.slug, team.name))
            case files.PersonFile() as person:
                outcome = set_person(person.email, person.name, person.role, self._team(parsed, person.team))
                return Imported("Person", person.email, outcome)
            case files.SystemFile() as system:
                return self._system(parsed, system)
            case files.RunbookFile() as runbook:
                return self._runbook(parsed, runbook)
            case files.WorkflowFile() as workflow:
                return self._workflow(parsed, workflow)

    def _system(self, parsed: Parsed, file: files.SystemFile) -> Imported:
        plain = file.model_dump(include=set(_SYSTEM_FIELDS))
        before = System.objects.filter(slug=file.slug).first()
        old = {name: getattr(before, name) for name in plain} if before else {}
        System.objects.update_or_create(slug=file.slug, defaults={**plain, **self._owned(parsed, file)})
        changes = list(difference(old, plain))
        return Imported("System", file.slug, _outcome(before, changes), changes)

    def _link_systems(self, parsed_systems: Sequence[Parsed]) -> None:
        """Once all are there: who depends on whom."""
        for parsed in parsed_systems:
            assert isinstance(parsed.file, files.SystemFile)
            known = {system.slug: system for system in System.objects.filter(slug__in=parsed.file.depends_on)}
            for slug in parsed.file.depends_on:
                if slug not in known:
                    self.errors.append(parsed.error("depends_on", f"there is no system {slug}"))
            System.objects.get(slug=parsed.file.slug).depends_on.set(known.values())

    def _runbook(self, parsed: Parsed, file: files.RunbookFile) -> Imported:
        before = Runbook.objects.select_related("current").filter(slug=file.slug).first()
        steps = [step.model_dump() for step in file.steps]
        old = {"title": before.title, "steps": before.current.steps if before.current else []} if before else {}
        changes = list(difference(old, {"title": file.title, "steps": steps}))
        fields = {"title": file.title, "review_every": file.review_every, **self._owned(parsed, file)}
        runbook, _ = Runbook.objects.update_or_create(slug=file.slug, defaults=fields)
        if before is None or before.current is None or before.current.steps != steps:
            number = runbook.versions.count() + 1
            runbook.current = RunbookVersion.objects.create(runbook=runbook, number=number, steps=steps)
            Runbook.objects.filter(pk=runbook.pk).update(current=runbook.current)
        return Imported("Runbook", file.slug, _outcome(before, changes), changes)

    def _workflow(self, parsed: Parsed, file: files.WorkflowFile) -> Imported:
        before = Workflow.objects.select_related("active").filter(slug=file.slug).first()
        document = file.model_dump(mode="json", by_alias=True, exclude_none=True)
        checksum = hashlib.sha256(canonical(document).encode()).hexdigest()
        fields = {"name": file.name, **self._owned(parsed, file)}
        workflow, _ = Workflow.objects.update_or_create(slug=file.slug, defaults=fields)
        same = workflow.versions.filter(checksum=checksum).order_by("-number").first()
        old = before.active.document if before and before.active else {}
        changes = list(difference(old, document))
        if same is not None and not changes:
            return Imported("Workflow", file.slug, "unchanged", [], same)
        version = same or self._version(parsed, file, workflow, document, checksum)
        facts = {"id": version.pk, "number": version.number, "changes": [str(change) for change in changes]}
        record(("workflow", workflow.pk), "workflow.import", self.actor, facts)
        return Imported("Workflow", file.slug, _outcome(before, changes), changes, version)

    def _version(
        self, parsed: Parsed, file: files.WorkflowFile, workflow: Workflow, document: dict[str, object], checksum: str
    ) -> WorkflowVersion:
        version = WorkflowVersion.objects.create(
            workflow=workflow,
            number=workflow.versions.count() + 1,
            document=document,
            source=parsed.text,
            checksum=checksum,
            risk=file.risk,
            undeclared_actions=file.undeclared_actions,
            on_run_failure=file.rollback.on_run_failure,
            on_compensation_failure=file.rollback.on_compensation_failure,
            recovery_target=file.rollback.recovery_target,
            created_by=self.person,
        )
        actions = [self._action(parsed, version, at, action) for at, action in enumerate(file.actions)]
        Action.objects.bulk_create([action for action in actions if action is not None])
        return version

    def _action(self, parsed: Parsed, version: WorkflowVersion, at: int, file: files.Action) -> Action | None:
        system = System.objects.filter(slug=file.system).first()
        runbook = Runbook.objects.filter(slug=file.runbook).first() if file.runbook else None
        if file.runbook and runbook is None:
            self.errors.append(parsed.error(f"actions.{at}.runbook", f"there is no runbook {file.runbook}"))
        if system is None:
            self.errors.append(parsed.error(f"actions.{at}.system", f"there is no system {file.system}"))
            return None
        parts = file.model_dump(mode="json", by_alias=True, include={*_ACTION_PARTS})
        return Action(
            version=version,
            key=file.key,
            position=at + 1,
            system=system,
            reversibility=file.reversibility,
            undo_window=file.undo_window,
            runbook=runbook,
            **{name: parts.get(name) for name in _ACTION_PARTS},
        )

    def _owned(
        self, parsed: Parsed, file: files.SystemFile | files.RunbookFile | files.WorkflowFile
    ) -> dict[str, object]:
        return {
            "owner": self._person(parsed, "owner", file.owner),
            "backup": self._person(parsed, "backup", file.backup),
            "team": self._team(parsed, file.team),
        }

    def _person(self, parsed: Parsed, field_: str, email: str | None) -> User | None:
        if email is None:
            return None
        person = User.objects.filter(email=email.lower()).first()
        if person is None:
            self.errors.append(parsed.error(field_, f"there is nobody with the address {email}"))
        return person

    def _team(self, parsed: Parsed, slug: str | None) -> Team | None:
        if slug is None:
            return None
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            self.errors.append(parsed.error("team", f"there is no team {slug}"))
        return team


_SYSTEM_FIELDS = (
    "name",
    "tier",
    "base_url",
    "allowed_hosts",
    "allow_http",
    "allow_private",
    "concurrency",
    "rate",
    "signing_secret",
)
_ACTION_PARTS = ("approval", "compensation", "drift_check", "verification", "rehearsal")


def _outcome(before: object, changes: Sequence[Change]) -> str:
    return "new" if before is None else "changed" if changes else "unchanged"


def activate_version(version: WorkflowVersion, actor: Actor) -> None:
    """Let new runs use ``version``. Raises ``Invalid`` (``no-active-owner``) naming everything that nobody owns."""
    unowned = list(_unowned(version))
    if unowned:
        errors = [FieldError(f"/{kind}/{slug}", "has no active owner") for kind, slug in unowned]
        names = ", ".join(f"{kind} {slug}" for kind, slug in unowned)
        raise Invalid(f"Nothing runs without an owner: {names} has none.", "no-active-owner", errors)
    with transaction.atomic():
        now = timezone.now()
        WorkflowVersion.objects.filter(pk=version.pk, activated_at=None).update(activated_at=now)
        Workflow.objects.filter(pk=version.workflow_id).update(active=version)
        facts = {"id": version.pk, "number": version.number}
        record(("workflow", version.workflow_id), "workflow.activate", actor, facts)


def _unowned(version: WorkflowVersion) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], Owned] = {("workflow", version.workflow.slug): version.workflow}
    for action in version.actions.select_related("system__owner", "runbook__owner"):
        found["system", action.system.slug] = action.system
        if action.runbook is not None:
            found["runbook", action.runbook.slug] = action.runbook
    return [key for key, owned in found.items() if owned.active_owner is None]
