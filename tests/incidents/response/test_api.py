"""Incidents over HTTP: who sees them, who declares them, and who leads."""

from uuid import uuid4

import pytest

from incidents.models import Incident
from incidents.response import services
from rollback.ownership.models import User
from tests.api import Caller
from tests.factories import make_person
from tests.office import Office, stored_run

FIELDS = {
    "id",
    "number",
    "title",
    "status",
    "severity",
    "lead",
    "impact_started_at",
    "opened_at",
    "recovered_at",
}


@pytest.fixture
def incident(office: Office) -> Incident:
    """About a run of the onboarding that failed."""
    office.finish(office.run(), "failed")
    return Incident.objects.get()


def listed(office: Office, person: User) -> list[str]:
    """The ids that ``person`` is shown."""
    return [row["id"] for row in office.person(person).get("/incidents").ok()["results"]]


# --- listing --------------------------------------------------------------------------------------


def test_an_incident_is_listed_with_how_it_stands(office: Office, incident: Incident) -> None:
    services.acknowledge(incident, office.lead)

    [row] = office.person(office.owner).get("/incidents").ok()["results"]
    assert row.keys() == FIELDS
    assert (row["id"], row["number"], row["title"]) == (str(incident.pk), incident.number, "Onboard: run failed")
    assert (row["status"], row["severity"], row["lead"]) == ("acknowledged", "sev3", office.lead.email)
    assert row["recovered_at"] is None


def test_incidents_are_listed_newest_first(office: Office, incident: Incident) -> None:
    newer = services.open_for_run(stored_run(office.run()), "another", "Another", "Declared")

    assert listed(office, office.owner) == [str(newer.pk), str(incident.pk)]


def test_an_incident_about_several_visible_runs_is_listed_once(office: Office, incident: Incident) -> None:
    office.finish(office.run(), "failed")

    assert incident.runs.count() == 2
    assert listed(office, office.owner) == [str(incident.pk)]


def test_others_incidents_are_not_listed(office: Office, incident: Incident) -> None:
    assert listed(office, office.stranger) == []


@pytest.mark.parametrize("role", ["lead", "admin"])
def test_who_leads_incidents_sees_all_of_them(office: Office, incident: Incident, role: str) -> None:
    assert listed(office, getattr(office, role)) == [str(incident.pk)]


def test_who_leads_an_incident_sees_it_whatever_it_is_about(office: Office, incident: Incident) -> None:
    Incident.objects.update(lead=office.stranger)

    assert listed(office, office.stranger) == [str(incident.pk)]


# --- declaring ------------------------------------------------------------------------------------


def test_the_owner_declares_an_incident_about_a_run(office: Office) -> None:
    run = office.run()
    answer = office.person(office.owner).post("/incidents", {"run": run, "title": "Wrong people"}).ok(201)

    incident = Incident.objects.get()
    assert answer.keys() == FIELDS
    assert (answer["id"], answer["title"], answer["status"]) == (str(incident.pk), "Wrong people", "open")
    assert [str(pk) for pk in incident.runs.values_list("pk", flat=True)] == [run]
    assert set(incident.timeline.values_list("actor_name", flat=True)) == {"Olu Owner"}


def test_declaring_the_same_about_another_run_adds_it(office: Office) -> None:
    caller = office.person(office.owner)
    first, second = (
        caller.post("/incidents", {"run": office.run(), "title": "Wrong people"}).ok(201)["id"] for _ in range(2)
    )

    assert first == second
    assert Incident.objects.get().runs.count() == 2


@pytest.mark.parametrize("role", ["incident_lead", "manager", "admin"])
def test_those_who_may_declare_do(office: Office, role: str) -> None:
    person = make_person(role)

    office.person(person).post("/incidents", {"run": office.run(), "title": "Wrong"}).ok(201)


def test_who_only_reads_declares_nothing(office: Office) -> None:
    office.onboard.backup = office.viewer
    office.onboard.save()

    office.person(office.viewer).post("/incidents", {"run": office.run(), "title": "Wrong"}).refused(
        403, "not-permitted"
    )
    assert not Incident.objects.exists()


def test_nothing_is_declared_about_a_run_that_one_does_not_see(office: Office) -> None:
    body = {"run": office.run(), "title": "Wrong"}

    office.person(office.stranger).post("/incidents", body).refused(404, "unknown-run")
    office.person(office.owner).post("/incidents", {**body, "run": str(uuid4())}).refused(404, "unknown-run")
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": "x" * 301}, "/title"),
        ({"run": "seven"}, "/run"),
        ({"severity": "sev1"}, "/severity"),
        ({"title": None}, "/title"),
    ],
)
def test_a_declaration_that_makes_no_sense_names_the_field(
    office: Office, change: dict[str, object], pointer: str
) -> None:
    body = {"run": office.run(), "title": "Wrong", **change}
    document = office.person(office.owner).post("/incidents", body).refused(422, "invalid")

    assert [error["pointer"] for error in document["errors"]] == [pointer]


def test_declaring_once_under_one_key_is_declaring_once(office: Office) -> None:
    caller, body = office.person(office.owner), {"run": office.run(), "title": "Wrong"}
    first, second = (caller.post("/incidents", body, once="once-1").ok(201) for _ in range(2))

    assert first == second
    assert Incident.objects.get().timeline.count() == 2


# --- leading --------------------------------------------------------------------------------------


def test_a_lead_acknowledges_and_leads(office: Office, incident: Incident) -> None:
    answer = office.person(office.lead).post(f"/incidents/{incident.pk}/acknowledge").ok()

    assert (answer["status"], answer["lead"]) == ("acknowledged", office.lead.email)
    assert Incident.objects.get().lead == office.lead


def test_the_second_to_acknowledge_gets_a_conflict(office: Office, incident: Incident) -> None:
    office.person(office.lead).post(f"/incidents/{incident.pk}/acknowledge").ok()
    office.person(office.admin).post(f"/incidents/{incident.pk}/acknowledge").refused(409, "wrong-state")

    assert Incident.objects.get().lead == office.lead


def test_an_owner_does_not_lead(office: Office, incident: Incident) -> None:
    office.person(office.owner).post(f"/incidents/{incident.pk}/acknowledge").refused(403, "not-permitted")

    assert Incident.objects.get().state == "open"


def test_an_incident_that_one_does_not_see_is_not_there(office: Office, incident: Incident) -> None:
    office.person(office.stranger).post(f"/incidents/{incident.pk}/acknowledge").refused(404, "unknown-incident")
    office.person(office.lead).post(f"/incidents/{uuid4()}/acknowledge").refused(404, "unknown-incident")


def test_incidents_are_for_people(office: Office, incident: Incident) -> None:
    office.agent.get("/incidents").refused(403, "agents-cannot")
    office.agent.post("/incidents", {"run": office.run(), "title": "x"}).refused(403, "agents-cannot")
    office.agent.post(f"/incidents/{incident.pk}/acknowledge").refused(403, "agents-cannot")
    assert Caller().get("/incidents").status == 401
