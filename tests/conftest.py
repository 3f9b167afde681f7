"""What all tests share: a database whose history can be emptied between tests, and a clean cache."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase

_HISTORY = importlib.import_module("rollback.migrations.0002_history_is_append_only")


@pytest.fixture(autouse=True, scope="session")
def _history_can_be_emptied_between_tests() -> None:
    """Emptying all tables after a transactional test is a DELETE or a TRUNCATE, which the history forbids."""
    empty = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(self: TransactionTestCase) -> None:
        with connection.schema_editor() as editor:
            _HISTORY.allow(apps, editor)
        empty(self)
        with connection.schema_editor() as editor:
            _HISTORY.forbid(apps, editor)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    """Nothing is remembered from the test before."""
    yield
    cache.clear()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Tests that start processes of Recourse run one after the other on one worker: they need the machine."""
    for item in items:
        if item.get_closest_marker("acceptance") or "tests/faults/" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("acceptance"))
