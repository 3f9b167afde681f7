"""How long to wait between two tries, for every rule that a workflow file can say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.recovery.backoff import ATTEMPTS, FACTOR, FIRST, LONGEST, Retry

seconds = st.floats(0, 604_800)
rules = st.builds(Retry, attempts=st.integers(1, 100), first=seconds, factor=st.floats(1, 10), longest=seconds)
tries = st.integers(0, 5_000)  # a person may let software try again any number of times


@given(rules, tries)
def test_the_wait_is_never_negative_and_never_more_than_the_longest(rule: Retry, made: int) -> None:
    assert 0 <= rule.delay(made) <= rule.longest


@given(rules, st.integers(0, 300))
def test_at_most_half_of_the_planned_wait_is_taken_off_at_random(rule: Retry, made: int) -> None:
    planned = min(rule.longest, rule.first * rule.factor ** max(0, made - 1))

    assert planned / 2 <= rule.delay(made) <= planned


@given(rules, tries)
def test_the_least_wait_does_not_shrink_from_try_to_try(rule: Retry, made: int) -> None:
    """The random part takes at most a half off, so twice the next wait is never less than this one."""
    assert 2 * rule.delay(made + 1) >= rule.delay(made)


@given(rules, tries, st.floats(0, 86_400))
def test_it_is_never_less_than_the_other_side_asked_for(rule: Retry, made: int, asked_for: float) -> None:
    assert asked_for <= rule.delay(made, asked_for) <= max(asked_for, rule.longest)


@given(rules, tries)
def test_being_asked_for_no_wait_does_not_shorten_it(rule: Retry, made: int) -> None:
    assert rule.delay(made, 0.0) >= min(rule.longest, rule.first) / 2


def test_many_that_failed_together_do_not_come_back_together() -> None:
    waits = [Retry(first=10).delay(1) for _ in range(200)]

    assert len(set(waits)) > 190
    assert max(waits) - min(waits) > 3  # of the five seconds that they are spread over


@pytest.mark.parametrize(("made", "planned"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60)])
def test_the_usual_rule_doubles_up_to_a_minute(made: int, planned: float) -> None:
    waits = [Retry().delay(made) for _ in range(100)]

    assert planned / 2 <= min(waits) < max(waits) <= planned


@pytest.mark.parametrize("undo", [{}, {"compensation": None}, {"compensation": {}}, {"compensation": {"retry": None}}])
def test_an_undo_that_does_not_say_follows_the_usual_rule(undo: dict[str, Any]) -> None:
    assert Retry.of(undo) == Retry(ATTEMPTS, FIRST, FACTOR, LONGEST)


def test_an_undo_s_own_rule_is_read_with_the_rest_as_usual() -> None:
    undo = {"compensation": {"retry": {"attempts": 9, "max": 5.0}}}

    assert Retry.of(undo) == Retry(9, FIRST, FACTOR, 5.0)
