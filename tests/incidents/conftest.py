"""What the tests of the incidents app share."""

import pytest

from tests.office import Office, open_office
from tests.rollback.recovery.conftest import _no_lifeline_is_left, engine, outside, scene

__all__ = ["_no_lifeline_is_left", "engine", "outside", "scene"]


@pytest.fixture
def office(db: None) -> Office:
    """Two workflows, their people, and one agent for each."""
    return open_office()
