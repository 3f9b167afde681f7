"""What a rollback does is part of its incident's history, and moves the incident along."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from incidents.models import Incident
from incidents.response import services
from incidents.response.selectors import open_work_of
from rollback.audit.actors import RECOURSE
from rollback.models import Rollback, Run
from rollback.recovery.preview import preview
from rollback.recovery.services import finish_by_hand, pause_rollback, resume_rollback, start_rollback
from rollback.runs.services import lose_silent_runs
from rollback.runs.states import RunState
from tests.rollback.recovery.conftest import ALL, Scene
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]


@pytest.fixture
def incident(scene: Scene) -> Incident:
    """About the run of the scene, which did one thing."""
    scene.did()
    return services.open_for_run(scene.run, "cause", "It broke", "Run failed")


def told(incident: Incident) -> list[str]:
    """The timeline after the opening."""
    return list(incident.timeline.exclude(kind__in=["opened", "run_added"]).values_list("text", flat=True))


def state_of(incident: Incident) -> str:
    """Its state as it is stored."""
    return Incident.objects.get(pk=incident.pk).state


def test_a_rollback_that_starts_is_mitigation(scene: Scene, incident: Incident) -> None:
    rollback = scene.start()

    assert state_of(incident) == "mitigating"
    assert told(incident) == ["Rollback running", "Lea Lead acknowledged and leads", "Mitigation under way"]
    assert Incident.objects.get().lead == scene.lead
    assert incident.timeline.get(text="Rollback running").link == f"/rollbacks/{rollback.pk}/"


def test_a_rollback_that_restored_everything_is_recovery(scene: Scene, incident: Incident, engine: Engine) -> None:
    engine(scene.start())

    assert state_of(incident) == "recovered"
    assert Incident.objects.get().recovered_at is not None
    assert told(incident)[-2:] == ["Rollback completed: every step is restored", "Recovered"]


def test_a_rollback_that_left_something_is_not(scene: Scene, incident: Incident, engine: Engine) -> None:
    scene.did(reversibility="irreversible", undo=None)
    engine(scene.start())

    assert state_of(incident) == "mitigating"
    assert told(incident)[-1] == "Rollback ended with steps left"


def test_the_incident_is_over_when_the_last_of_its_runs_is_restored(
    scene: Scene, incident: Incident, engine: Engine
) -> None:
    other = Run.objects.create(workflow=scene.run.workflow, version=scene.version, agent="maker", state=RunState.FAILED)
    services.open_for_run(other, "cause", "It broke", "Run failed")
    engine(scene.start())
    assert state_of(incident) == "mitigating"

    scene.run, scene.steps = other, []
    scene.did()
    engine(scene.start())
    assert state_of(incident) == "recovered"


def test_a_pause_and_its_end_are_told(scene: Scene, incident: Incident) -> None:
    rollback = scene.start()
    pause_rollback(rollback, scene.lead)
    resume_rollback(rollback, scene.lead)

    assert told(incident)[3:] == ["Rollback paused", "Rollback running"]


def test_what_was_handed_over_is_told_with_who_has_it_and_why(scene: Scene, incident: Incident, engine: Engine) -> None:
    scene.outside.script("DELETE", "/things/1", Answer(400, b"no such thing"))
    engine(scene.start())

    entry = incident.timeline.get(kind="handed_over")
    assert entry.text == "thing.make_1 handed over to Olu Owner: HTTP 400 no such thing"
    assert "Rollback needs attention" in told(incident)
    [work] = open_work_of(incident)
    assert (work.step, work.handed_to) == (scene.steps[0], scene.owner)


def test_work_that_is_done_is_no_longer_open(scene: Scene, incident: Incident, engine: Engine) -> None:
    scene.outside.script("DELETE", "/things/1", Answer(400))
    rollback = engine(scene.start())
    finish_by_hand(scene.compensation(1), scene.owner, "Removed it in the console, see ticket 7.")
    engine(rollback)

    assert not open_work_of(incident)
    assert state_of(incident) == "recovered"


def test_a_hand_over_without_an_incident_opens_one(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(400))
    engine(scene.start())

    incident = Incident.objects.get()
    assert incident.title == "Make things: compensation failed at thing.make_1"
    assert list(incident.runs.all()) == [scene.run]
    assert incident.timeline.filter(kind="handed_over").count() == 1


def test_several_hand_overs_of_one_rollback_are_one_incident(scene: Scene, engine: Engine) -> None:
    scene.version.on_compensation_failure = "continue"
    scene.version.save()
    for number in (1, 2):
        scene.did(after=[])
        scene.outside.script("DELETE", f"/things/{number}", Answer(400))
    engine(scene.start())

    assert Incident.objects.get().timeline.filter(kind="handed_over").count() == 2


def test_an_incident_that_is_over_is_not_told_of_rollbacks(scene: Scene, incident: Incident) -> None:
    services.recover(incident, RECOURSE)
    scene.start()

    assert state_of(incident) == "recovered"
    assert told(incident) == ["Recovered"]


def test_a_rehearsal_is_nobodys_mitigation(scene: Scene, incident: Incident) -> None:
    rollback = scene.start()
    Rollback.objects.filter(pk=rollback.pk).update(rehearsal=True)
    before = told(incident)
    pause_rollback(Rollback.objects.get(pk=rollback.pk), scene.lead)

    assert told(incident) == before


def test_an_incident_that_came_after_its_automatic_rollback_is_told_of_it(scene: Scene) -> None:
    """The order of who listens to the end of a run decides nothing."""
    scene.version.on_run_failure = "automatic"
    scene.version.save()
    scene.did()
    Run.objects.filter(pk=scene.run.pk).update(state=RunState.RUNNING)
    lose_silent_runs(timezone.now() + timedelta(hours=1))

    incident = Incident.objects.get()
    assert Rollback.objects.get().state == "running"
    assert state_of(incident) == "open"
    assert told(incident).count("Rollback running") == 1


def test_after_an_automatic_rollback_somebody_can_still_lead(scene: Scene, incident: Incident, engine: Engine) -> None:
    scene.outside.script("DELETE", "/things/1", Answer(400))
    engine(start_rollback(scene.run, ALL, "By itself.", preview(scene.run, ALL).hash, None))

    services.acknowledge(Incident.objects.get(pk=incident.pk), scene.lead)

    assert state_of(incident) == "acknowledged"
