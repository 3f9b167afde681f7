"""What happens to incidents: they open by themselves or by a person, are led, and end."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Min
from django.utils import timezone

from incidents.response.models import EntryKind, Incident, IncidentNumber, IncidentRun, Severity, TimelineEntry
from incidents.response.states import IncidentState
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.services import move, record
from rollback.errors import Conflict, Invalid
from rollback.models import Run, User

UNRECOVERED = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.MITIGATING)


def open_for_run(run: Run, cause: str, title: str, why: str, actor: Actor = RECOURSE) -> Incident:
    """The incident of ``cause``: a new one, or the unrecovered one that is there, with ``run`` added to it."""
    with transaction.atomic():
        incident = _unrecovered(cause) or _open(cause, title, run, actor)
        _, added = IncidentRun.objects.get_or_create(incident=incident, run=run, defaults={"why": why})
        if added:
            _raise_severity(incident, severity_of(run))
            note = f"{why}: {run}"
            add_entry(incident, EntryKind.RUN_ADDED, note, actor, link=f"/runs/{run.pk}/")
            record(incident.audit_chain(), "incident.run_added", actor, {"id": incident.pk, "run": run.pk, "why": why})
    return incident


def _unrecovered(cause: str) -> Incident | None:
    return Incident.objects.filter(cause=cause, state__in=UNRECOVERED).first()


def _open(cause: str, title: str, run: Run, actor: Actor) -> Incident:
    number = IncidentNumber.objects.create().pk
    severity = severity_of(run)
    try:
        with transaction.atomic():
            incident = Incident.objects.create(
                number=number,
                title=title[:300],
                cause=cause,
                severity=severity,
                impact_started_at=first_effect_at(run),
            )
    except IntegrityError:
        # Two runs of one cause failed at the same moment: the other one opened it.
        return Incident.objects.get(cause=cause, state__in=UNRECOVERED)
    add_entry(incident, EntryKind.OPENED, f"Incident opened as {severity.label}", actor)
    record(incident.audit_chain(), "incident.open", actor, {"id": incident.pk, "cause": cause, "severity": severity})
    return incident


def severity_of(run: Run) -> Severity:
    """The written rule: a workflow of high risk makes it SEV2, any other SEV3."""
    return Severity.SEV2 if run.version.risk == "high" else Severity.SEV3


def first_effect_at(run: Run) -> datetime:
    """When the run first changed something; a run that reported no effect counts from its start."""
    moment: datetime | None = run.steps.filter(effects__isnull=False).aggregate(first=Min("finished_at"))["first"]
    return moment or run.started_at


def _raise_severity(incident: Incident, severity: Severity) -> None:
    if severity < incident.severity:  # "sev1" sorts before "sev2": the highest wins
        Incident.objects.filter(pk=incident.pk).update(severity=severity)
        incident.severity = severity


def add_entry(incident: Incident, kind: EntryKind, text: str, actor: Actor, link: str = "") -> TimelineEntry:
    """Append one fact to the incident's timeline."""
    return TimelineEntry.objects.create(incident=incident, kind=kind, text=text, actor_name=actor.name, link=link)


def add_note(incident: Incident, text: str, person: User) -> TimelineEntry:
    """A person's note. Raises ``Invalid`` when it is empty."""
    if not text.strip():
        raise Invalid("Write something first.", "note-required")
    with transaction.atomic():
        entry = add_entry(incident, EntryKind.NOTE, text.strip(), person.actor())
        record(incident.audit_chain(), "incident.note", person.actor(), {"id": incident.pk, "entry": entry.pk})
    return entry


def acknowledge(incident: Incident, person: User) -> None:
    """``person`` leads from now on. Raises ``Conflict`` unless it is still open."""
    with transaction.atomic():
        move(incident, "acknowledge", person.actor(), set={"lead": person, "acknowledged_at": timezone.now()})
        add_entry(incident, EntryKind.STATE, f"{person.name} acknowledged and leads", person.actor())


def mitigate(incident: Incident, actor: Actor) -> None:
    """Recovery is under way."""
    with transaction.atomic():
        move(incident, "mitigate", actor)
        add_entry(incident, EntryKind.STATE, "Mitigation under way", actor)


def recover(incident: Incident, actor: Actor) -> None:
    """The damage is taken back or fixed forward."""
    with transaction.atomic():
        move(incident, "recover", actor, set={"recovered_at": timezone.now()})
        add_entry(incident, EntryKind.STATE, "Recovered", actor)


def close(incident: Incident, person: User) -> None:
    """Nothing more to do."""
    with transaction.atomic():
        move(incident, "close", person.actor())
        add_entry(incident, EntryKind.STATE, f"{person.name} closed it", person.actor())


def reopen(incident: Incident, person: User) -> None:
    """It was not over. Raises ``Conflict`` when its cause has a new incident already: that one tells it from here."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                move(incident, "reopen", person.actor(), set={"recovered_at": None})
        except IntegrityError as error:
            newer = Incident.objects.get(cause=incident.cause, state__in=UNRECOVERED)
            raise Conflict(f"INC-{newer.number} is open about the same cause.", "cause-has-incident") from error
        add_entry(incident, EntryKind.STATE, f"{person.name} reopened it", person.actor())
