"""What the tests of the rollback app share."""

import pytest

from tests.office import Office, open_office


@pytest.fixture
def office(db: None) -> Office:
    """Two workflows, their people, and one agent for each."""
    return open_office()
