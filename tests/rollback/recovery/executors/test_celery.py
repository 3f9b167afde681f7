"""Compensation by a Celery task on somebody else's worker."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from redis import Redis

from rollback.recovery.executors.celery import CeleryExecutor, _app
from rollback.recovery.executors.contract import Call, Outcome, Result, Target
from tests.acceptance.processes import started, wait_until

TARGET = Target("ledger", "")
pytestmark = [pytest.mark.one_database, pytest.mark.timeout(300), pytest.mark.xdist_group("acceptance")]


@pytest.fixture(scope="module")
def theirs() -> Iterator[Redis]:
    """Their Redis and their worker, which works on their queue alone."""
    url = f"{os.environ['TEST_REDIS']}/14"
    redis = Redis.from_url(url)
    redis.flushdb()
    was = settings.TASKS_BROKER_URL, settings.TASKS_RESULT_URL
    settings.TASKS_BROKER_URL = settings.TASKS_RESULT_URL = url
    _app.cache_clear()
    command = ["python", "-m", "celery", "-A", "tests.rollback.recovery.executors.their_app", "worker"]
    with started(*command, "-Q", "ledger", "--pool", "threads", "-c", "2", "-l", "warning", THEIR_REDIS=url):
        wait_until(lambda: _app().control.ping(timeout=1), 120, what="their worker is there")
        yield redis
    settings.TASKS_BROKER_URL, settings.TASKS_RESULT_URL = was
    _app.cache_clear()
    redis.flushdb()


def ask(
    key: str, task: str = "ledger.void", deadline: float = 60.0, expect: str | None = None, **kwargs: Any
) -> Outcome:
    """One look."""
    call = Call(TARGET, {"task": task, "queue": "ledger", "kwargs": kwargs}, expect)
    return CeleryExecutor().execute(call, key, deadline)


def ask_until_it_ends(key: str, **how: Any) -> Outcome:
    """As the engine does: again and again under the same key."""
    ends = time.monotonic() + 60
    while (outcome := ask(key, **how)).result is Result.UNDER_WAY:
        assert outcome.retry_after is not None
        assert time.monotonic() < ends
        time.sleep(outcome.retry_after)
    return outcome


def voided(redis: Redis) -> list[str]:
    entries: list[bytes] = redis.lrange("voided", 0, -1)  # type: ignore[assignment]
    return [entry.decode() for entry in entries]


def test_a_task_is_sent_once_however_often_it_is_asked_for(theirs: Redis) -> None:
    outcome = ask_until_it_ends("key-1", entry="e-1", after=1.5)

    assert outcome.result is Result.SUCCEEDED
    assert outcome.detail == "{'voided': 'e-1'}"
    assert voided(theirs).count("key-1 e-1") == 1


def test_the_first_look_does_not_wait_for_the_result(theirs: Redis) -> None:
    began = time.monotonic()

    assert ask("key-2", entry="e-2", after=2.0).result is Result.UNDER_WAY

    assert time.monotonic() - began < 1.9


def test_an_expression_judges_what_it_returned(theirs: Redis) -> None:
    assert ask_until_it_ends("key-3", entry="e-3", expect='result.voided == "e-3"').result is Result.SUCCEEDED
    assert ask_until_it_ends("key-4", entry="e-4", expect='result.voided == "other"').result is Result.PERMANENT


def test_what_the_task_raises_is_for_a_person_and_a_later_try_sends_it_again(theirs: Redis) -> None:
    for _ in range(2):
        outcome = ask_until_it_ends("key-5", task="ledger.refuse")
        assert (outcome.result, outcome.detail) == (
            Result.PERMANENT,
            "ledger.refuse failed: the period is closed",
        )


def test_no_result_in_time_is_another_try_under_the_same_id(theirs: Redis) -> None:
    assert ask("key-6", entry="e-6", after=1.0, deadline=0.2).result is Result.UNDER_WAY
    time.sleep(0.3)

    outcome = ask("key-6", entry="e-6", after=1.0, deadline=0.2)

    assert outcome.result is Result.TRANSIENT
    assert "no result within 0.2 s" in outcome.detail
    assert ask_until_it_ends("key-6", entry="e-6", after=0.0).result is Result.SUCCEEDED


def test_a_broker_that_is_away_is_another_try() -> None:
    was = settings.TASKS_BROKER_URL
    settings.TASKS_BROKER_URL = "redis://127.0.0.1:1/0"
    _app.cache_clear()
    try:
        outcome = ask("key-7", entry="e-7")
    finally:
        settings.TASKS_BROKER_URL = was
        _app.cache_clear()

    assert outcome.result is Result.TRANSIENT
