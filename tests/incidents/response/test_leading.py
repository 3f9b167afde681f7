"""An incident is led: who does what to it, in which state, and what its timeline says then."""

from collections.abc import Callable

import pytest

from incidents.models import Incident
from incidents.response import services
from incidents.response.states import INCIDENT, IncidentState
from rollback.audit.models import AuditEvent
from rollback.errors import Conflict, Invalid
from rollback.ownership.models import User
from tests.factories import make_person
from tests.rollback.audit.things import make_incident, put, stored

DO: dict[str, Callable[[Incident, User], None]] = {
    "acknowledge": services.acknowledge,
    "mitigate": lambda incident, person: services.mitigate(incident, person.actor()),
    "recover": lambda incident, person: services.recover(incident, person.actor()),
    "close": services.close,
    "reopen": services.reopen,
}
ILLEGAL = [(s, a) for s in IncidentState for a in DO if a not in INCIDENT.actions_from(s)]


@pytest.fixture
def lead(db: None) -> User:
    """Who leads."""
    return make_person("incident_lead", name="Lea Lead")


@pytest.fixture
def incident(db: None) -> Incident:
    """An open incident without runs."""
    return make_incident()


def said(incident: Incident) -> list[tuple[str, str, str]]:
    """The timeline: kind, who, and what."""
    return list(incident.timeline.values_list("kind", "actor_name", "text"))


def test_who_acknowledges_leads(incident: Incident, lead: User) -> None:
    services.acknowledge(incident, lead)

    row = stored(incident)
    assert (row["state"], row["lead_id"]) == ("acknowledged", lead.pk)
    assert row["acknowledged_at"] >= row["opened_at"]
    assert said(incident) == [("state", "Lea Lead", "Lea Lead acknowledged and leads")]


def test_the_second_to_acknowledge_is_told_and_does_not_take_over(incident: Incident, lead: User) -> None:
    stale = Incident.objects.get(pk=incident.pk)
    services.acknowledge(incident, lead)

    with pytest.raises(Conflict, match="is acknowledged"):
        services.acknowledge(stale, make_person("incident_lead", name="Lou Late"))

    assert stored(incident)["lead_id"] == lead.pk
    assert len(said(incident)) == 1


def test_from_open_to_closed_the_timeline_tells_every_step(incident: Incident, lead: User) -> None:
    for action in ("acknowledge", "mitigate", "recover", "close", "reopen"):
        DO[action](incident, lead)

    assert said(incident) == [
        ("state", "Lea Lead", "Lea Lead acknowledged and leads"),
        ("state", "Lea Lead", "Mitigation under way"),
        ("state", "Lea Lead", "Recovered"),
        ("state", "Lea Lead", "Lea Lead closed it"),
        ("state", "Lea Lead", "Lea Lead reopened it"),
    ]
    events = AuditEvent.objects.filter(kind="incident", subject=incident.pk).order_by("number")
    assert [event.type.removeprefix("incident.") for event in events] == list(DO)


def test_recovery_is_dated_until_it_is_reopened(incident: Incident, lead: User) -> None:
    services.recover(incident, lead.actor())
    assert stored(incident)["recovered_at"] is not None

    services.reopen(incident, lead)
    assert (stored(incident)["recovered_at"], stored(incident)["state"]) == (None, "open")


@pytest.mark.parametrize(("state", "action"), ILLEGAL)
def test_what_its_state_does_not_allow_is_refused_and_not_told(
    state: IncidentState, action: str, incident: Incident, lead: User
) -> None:
    put(incident, state)
    before = stored(incident)

    with pytest.raises(Conflict, match=f"is {state}"):
        DO[action](incident, lead)

    assert (stored(incident), said(incident)) == (before, [])


def test_a_note_is_on_the_timeline_and_in_the_history(incident: Incident, lead: User) -> None:
    services.add_note(incident, "  The disk was full.\n", lead)

    assert said(incident) == [("note", "Lea Lead", "The disk was full.")]
    assert AuditEvent.objects.get(subject=incident.pk).type == "incident.note"


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_note_is_refused(text: str, incident: Incident, lead: User) -> None:
    with pytest.raises(Invalid):
        services.add_note(incident, text, lead)

    assert said(incident) == []


def test_a_closed_incident_still_takes_notes(incident: Incident, lead: User) -> None:
    put(incident, IncidentState.CLOSED)
    services.add_note(incident, "One more thing.", lead)

    assert [kind for kind, _, _ in said(incident)] == ["note"]
