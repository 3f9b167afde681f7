"""The plan: what is undone, and what before what."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.recovery.plan import Plan, Scope, TakenStep, Treatment, make_plan

CARRIED_OUT = {Treatment.UNDO, Treatment.BY_HAND}


def uid(number: int) -> UUID:
    return UUID(int=number)


def step(
    number: int,
    depends_on: tuple[int, ...] | None = (),
    treatment: Treatment = Treatment.UNDO,
    finished: float | None = None,
    in_doubt: bool = False,
) -> TakenStep:
    needs = None if depends_on is None else frozenset(map(uid, depends_on))
    return TakenStep(uid(number), number, treatment, needs, float(number) if finished is None else finished, in_doubt)


def numbers(plan: Plan) -> list[int]:
    return [planned.step.int for planned in plan.steps]


def after(plan: Plan) -> dict[int, set[int]]:
    return {planned.step.int: {first.int for first in planned.after} for planned in plan.steps}


def test_what_built_on_a_step_is_undone_before_it() -> None:
    plan = make_plan([step(1), step(2, (1,)), step(3, (2,))])

    assert numbers(plan) == [3, 2, 1]
    assert after(plan) == {3: set(), 2: {3}, 1: {2}}


def test_independent_branches_do_not_wait_for_each_other() -> None:
    plan = make_plan([step(1), step(2, (1,)), step(3, (1,)), step(4, (2, 3))])

    assert after(plan) == {4: set(), 3: {4}, 2: {4}, 1: {2, 3}}


def test_steps_that_did_not_say_are_undone_in_reverse_of_how_they_ended() -> None:
    plan = make_plan([step(1, None, finished=3.0), step(2, None, finished=1.0), step(3, None, finished=2.0)])

    assert numbers(plan) == [1, 3, 2]
    assert after(plan) == {1: set(), 3: {1}, 2: {3}}


def test_a_step_that_did_not_say_counts_as_built_on_all_before_it() -> None:
    plan = make_plan([step(1), step(2), step(3, None)])

    assert after(plan) == {3: set(), 2: {3}, 1: {3}}


def test_an_irreversible_step_passes_the_order_on() -> None:
    plan = make_plan([step(1), step(2, (1,), Treatment.NOT_POSSIBLE), step(3, (2,))])

    assert after(plan)[1] == {3}
    assert [planned.treatment for planned in plan.steps] == ["undo", "not_possible", "undo"]


def test_steps_without_effect_are_left_out() -> None:
    plan = make_plan([step(1), step(2, (1,), Treatment.NOTHING), step(3, (2,))])

    assert after(plan) == {3: set(), 1: {3}}


def test_a_run_that_is_undone_already_leaves_nothing_to_do() -> None:
    plan = make_plan([step(1, (), Treatment.ALREADY_UNDONE), step(2, (1,), Treatment.ALREADY_UNDONE)])

    assert plan.to_do == ()


def test_a_step_in_doubt_is_taken_to_be_the_last_and_undone_first() -> None:
    doubtful = TakenStep(uid(2), 2, Treatment.UNDO, None, None, in_doubt=True)

    plan = make_plan([step(1, None), doubtful, step(3, None)])

    assert numbers(plan) == [2, 3, 1]
    assert plan.steps[0].in_doubt


def test_back_to_a_step_keeps_it_and_what_was_done_before() -> None:
    plan = make_plan([step(1), step(2, (1,)), step(3, (2,))], Scope(back_to=uid(1)))

    assert numbers(plan) == [3, 2]


def test_choosing_a_step_brings_along_what_built_on_it() -> None:
    plan = make_plan([step(1), step(2, (1,)), step(3, (2,)), step(4)], Scope(steps=frozenset({uid(2)})))

    assert numbers(plan) == [3, 2]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        make_plan([step(1, (2,)), step(2, (1,))])


def test_a_scope_with_a_step_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no such step"):
        make_plan([step(1)], Scope(back_to=uid(9)))


def test_the_hash_changes_with_what_would_be_sent() -> None:
    one = TakenStep(uid(1), 1, Treatment.UNDO, frozenset(), 1.0, undo_hash="a")
    other = TakenStep(uid(1), 1, Treatment.UNDO, frozenset(), 1.0, undo_hash="b")

    assert make_plan([one]).hash != make_plan([other]).hash


@st.composite
def runs(draw: st.DrawFn) -> list[TakenStep]:
    """Any run: steps that name earlier ones, or do not say, with any treatment and any order of ending."""
    size = draw(st.integers(0, 25))
    steps = []
    for number in range(1, size + 1):
        earlier = st.sets(st.integers(1, number - 1), max_size=4) if number > 1 else st.just(set())
        needs = draw(st.none() | earlier)
        steps.append(
            TakenStep(
                uid(number),
                number,
                draw(st.sampled_from(list(Treatment))),
                None if needs is None else frozenset(map(uid, needs)),
                draw(st.none() | st.floats(0, 100)),
            )
        )
    return steps


def ancestors(taken: list[TakenStep]) -> dict[UUID, set[UUID]]:
    """Per step, everything that it was declared to build on, however far back."""
    result: dict[UUID, set[UUID]] = {}
    for one in sorted(taken, key=lambda s: s.number):
        direct = one.depends_on or frozenset()
        result[one.id] = set(direct).union(*(result[d] for d in direct)) if direct else set()
    return result


def waits_for(plan: Plan) -> dict[UUID, set[UUID]]:
    """Per planned step, everything that is settled before it starts, however far back."""
    result: dict[UUID, set[UUID]] = {}
    for planned in plan.steps:
        result[planned.step] = set(planned.after).union(*(result.get(first, set()) for first in planned.after))
    return result


@given(runs())
def test_nothing_is_undone_before_what_was_built_on_it(taken: list[TakenStep]) -> None:
    plan, built_on = make_plan(taken), ancestors(taken)
    to_do = {planned.step for planned in plan.to_do}
    waits = waits_for(plan)

    for later in to_do:
        for earlier in built_on[later] & to_do:
            assert later in waits[earlier]


@given(runs())
def test_every_step_with_an_effect_is_in_the_plan_exactly_once(taken: list[TakenStep]) -> None:
    planned = [s.step for s in make_plan(taken).steps]

    assert sorted(planned) == sorted(s.id for s in taken if s.treatment is not Treatment.NOTHING)


@given(runs())
def test_the_plan_only_waits_for_what_is_carried_out_and_comes_earlier(taken: list[TakenStep]) -> None:
    plan = make_plan(taken)
    settled: set[UUID] = set()
    to_do = {planned.step for planned in plan.to_do}

    for planned in plan.steps:
        assert planned.after <= to_do & settled
        settled.add(planned.step)


@given(runs(), st.randoms())
def test_the_plan_does_not_depend_on_the_order_in_which_steps_are_given(taken: list[TakenStep], random: object) -> None:
    shuffled = list(taken)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert make_plan(shuffled) == make_plan(taken)


@given(runs(), st.data())
def test_a_chosen_scope_is_closed_under_what_built_on_it(taken: list[TakenStep], data: st.DataObject) -> None:
    if not taken:
        return
    chosen = data.draw(st.sets(st.sampled_from([s.id for s in taken]), min_size=1))
    plan = make_plan(taken, Scope(steps=frozenset(chosen)))
    in_plan = {planned.step for planned in plan.steps}
    with_effect = {s.id for s in taken if s.treatment is not Treatment.NOTHING}

    for later, built_on in ancestors(taken).items():
        if built_on & chosen and later in with_effect:
            assert later in in_plan
