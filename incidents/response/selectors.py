"""What is asked about incidents."""

from dataclasses import dataclass

from django.db.models import QuerySet, Sum

from incidents.response.models import Incident, TimelineEntry
from rollback.models import Compensation, Effect, Run, User
from rollback.recovery.states import CompensationState
from rollback.runs.selectors import visible_runs


def visible_incidents(user: User) -> QuerySet[Incident]:
    """The incidents about runs that ``user`` may see, or that they lead, newest first."""
    seen = Incident.objects.filter(runs__in=visible_runs(user)) | Incident.objects.filter(lead=user)
    return seen.distinct().select_related("lead").order_by("-opened_at", "-id")


def timeline_of(incident: Incident) -> QuerySet[TimelineEntry]:
    """The incident's history, oldest first."""
    return incident.timeline.order_by("at", "id")


def runs_of(incident: Incident) -> QuerySet[Run]:
    """The runs that the incident is about, in the order in which they were added."""
    return incident.runs.select_related("workflow__owner").order_by("incident_runs__added_at")


def open_work_of(incident: Incident) -> QuerySet[Compensation]:
    """What people still have to finish by hand for the incident's runs."""
    handed = Compensation.objects.filter(
        rollback__run__incidents=incident, state=CompensationState.HANDED_OVER, rollback__rehearsal=False
    )
    return handed.select_related("step__system", "handed_to", "runbook", "rollback").order_by("handed_at")


@dataclass(frozen=True)
class BlastRadius:
    """How far an incident reaches: counts, not a score. A record touched twice counts once."""

    runs: int
    systems: int
    effects: int
    records: int
    money: dict[str, str]


def blast_radius(incident: Incident) -> BlastRadius:
    """The reach of all effects of the incident's runs, by aggregate queries."""
    effects = Effect.objects.filter(run__incidents=incident)
    named = effects.exclude(ref="").values("system", "kind", "ref").distinct().count()
    unnamed = effects.filter(ref="").aggregate(n=Sum("count"))["n"] or 0
    money = effects.filter(amount__isnull=False).values("currency").annotate(total=Sum("amount")).order_by("currency")
    return BlastRadius(
        runs=incident.runs.count(),
        systems=effects.values("system").distinct().count(),
        effects=effects.count(),
        records=named + unnamed,
        money={row["currency"]: f"{row['total']:f}" for row in money},
    )
