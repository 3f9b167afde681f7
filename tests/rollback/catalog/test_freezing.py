"""An undo is made concrete once; one reference that does not resolve and there is none."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.audit.actors import RECOURSE
from rollback.catalog.durations import parse_duration, write_duration
from rollback.catalog.freezing import freeze, freeze_brought
from rollback.catalog.models import Action, System
from rollback.catalog.parsing import Source
from rollback.catalog.services import import_sources
from rollback.errors import Invalid
from tests.rollback.catalog.files import ALL

DELETE = {"request": {"method": "DELETE", "path": "/users/7"}}


@pytest.fixture
def action(db: None) -> Action:
    import_sources([Source(name, text) for name, text in ALL], RECOURSE)
    return Action.objects.get()


@pytest.fixture
def system(action: Action) -> System:
    return action.system


def test_every_part_is_resolved_and_times_become_seconds(action: Action) -> None:
    frozen = freeze(action, {"input": {}, "output": {"id": "u/7", "version": 3}})

    assert frozen.problems == []
    assert frozen.undo is not None
    assert frozen.undo["compensation"]["request"]["path"] == "/users/u%2F7"
    assert frozen.undo["compensation"]["request"]["headers"] == {"Authorization": "Bearer ${secret.directory_token}"}
    assert frozen.undo["compensation"]["timeout"] == 10.0
    assert frozen.undo["compensation"]["retry"] == {"attempts": 5, "first": 1.0, "factor": 2.0, "max": 60.0}
    assert frozen.undo["verification"]["within"] == 30.0
    assert frozen.undo["rehearsal"]["request"]["path"] == "/users/u%2F7"


def test_one_reference_that_does_not_resolve_and_there_is_no_undo(action: Action) -> None:
    frozen = freeze(action, {"input": {}, "output": {}})

    assert frozen.undo is None
    assert "/compensation/request/path" in [problem.pointer for problem in frozen.problems]


def test_an_undo_that_an_agent_brings_is_taken_as_it_is(system: System) -> None:
    frozen = freeze_brought(DELETE, system)

    assert frozen.undo is not None
    assert frozen.undo["compensation"]["request"]["path"] == "/users/7"
    assert frozen.undo["verification"] is None


@pytest.mark.parametrize(
    "undo",
    [
        "DELETE /users/7",
        {},
        {"request": {"method": "DELETE"}},
        {"request": {"method": "STEAL", "path": "/users/7"}},
        {"request": {"method": "DELETE", "path": "/users/${output.id}"}},
        {**DELETE, "unknown": 1},
        {**DELETE, "timeout": "soon"},
    ],
)
def test_an_undo_that_is_none_names_what_is_wrong(system: System, undo: object) -> None:
    with pytest.raises(Invalid):
        freeze_brought(undo, system)


def test_security_an_agent_may_refer_to_secrets_of_its_own_system_only(system: System) -> None:
    def with_secret(name: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer ${{secret.{name}}}"}
        return {"request": {"method": "DELETE", "path": "/users/7", "headers": headers}}

    assert freeze_brought(with_secret("directory_token"), system).undo is not None
    with pytest.raises(Invalid, match="billing_token"):
        freeze_brought(with_secret("billing_token"), system)


@given(st.integers(1, 10**9))
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(write_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "10", "s", "-5s", "5 s", "1h30m", None, 5])
def test_what_is_no_duration_shows_the_form(text: object) -> None:
    with pytest.raises(ValueError, match="30d"):
        parse_duration(text)
