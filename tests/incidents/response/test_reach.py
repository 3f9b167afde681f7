"""How far an incident reaches: counts over the effects of its runs."""

from decimal import Decimal
from typing import Any

import pytest

from incidents.models import Incident
from incidents.response import services
from incidents.response.selectors import BlastRadius, blast_radius, runs_of, timeline_of
from rollback.models import Effect, Run, Step, System
from tests.office import Office, stored_run, stored_step


@pytest.fixture
def incident(office: Office) -> Incident:
    """About one run that did nothing yet."""
    return services.open_for_run(stored_run(office.run()), "cause", "It broke", "Declared")


def more(incident: Incident, office: Office) -> Run:
    """One more run of the incident."""
    run = stored_run(office.run())
    services.open_for_run(run, incident.cause, incident.title, "Declared")
    return run


def changed(office: Office, run: Run, system: System, kind: str, ref: str = "", **fields: Any) -> Step:
    """A step of ``run`` that changed one thing."""
    step = stored_step(office.step(str(run.pk)))
    Effect.objects.create(step=step, run=run, system=system, kind=kind, ref=ref, **fields)
    return step


def test_nothing_was_changed(incident: Incident) -> None:
    assert blast_radius(incident) == BlastRadius(runs=1, systems=0, effects=0, records=0, money={})


def test_runs_systems_effects_and_records_are_counted_over_all_runs(incident: Incident, office: Office) -> None:
    first, second = incident.runs.get(), more(incident, office)
    changed(office, first, office.directory, "user", "u-1")
    changed(office, first, office.directory, "user", "u-2")
    changed(office, second, office.billing, "charge", "c-1")

    assert blast_radius(incident) == BlastRadius(runs=2, systems=2, effects=3, records=3, money={})


def test_a_record_that_was_touched_twice_counts_once(incident: Incident, office: Office) -> None:
    first, second = incident.runs.get(), more(incident, office)
    for run in (first, first, second):
        changed(office, run, office.directory, "user", "u-1")

    radius = blast_radius(incident)
    assert (radius.effects, radius.records) == (3, 1)


def test_the_same_name_of_another_kind_or_system_is_another_record(incident: Incident, office: Office) -> None:
    run = incident.runs.get()
    changed(office, run, office.directory, "user", "7")
    changed(office, run, office.directory, "group", "7")
    changed(office, run, office.billing, "user", "7")

    assert blast_radius(incident).records == 3


def test_records_without_a_name_count_as_many_as_were_reported(incident: Incident, office: Office) -> None:
    run = incident.runs.get()
    changed(office, run, office.directory, "mail", count=120)
    changed(office, run, office.directory, "mail", count=3)
    changed(office, run, office.directory, "user", "u-1")

    assert blast_radius(incident).records == 124


def test_money_is_summed_by_currency_and_exactly(incident: Incident, office: Office) -> None:
    first, second = incident.runs.get(), more(incident, office)
    for run, amount, currency in ((first, "0.1", "EUR"), (second, "0.2", "EUR"), (second, "-5", "CHF")):
        changed(office, run, office.billing, "refund", amount=Decimal(amount), currency=currency)

    money = blast_radius(incident).money
    assert {currency: Decimal(amount) for currency, amount in money.items()} == {
        "CHF": Decimal(-5),
        "EUR": Decimal("0.3"),
    }
    assert list(money) == ["CHF", "EUR"]


def test_other_incidents_runs_are_not_counted(incident: Incident, office: Office) -> None:
    run = stored_run(office.run())
    services.open_for_run(run, "another cause", "It broke too", "Declared")
    changed(office, run, office.billing, "charge", "c-1")

    assert blast_radius(incident).effects == 0


def test_runs_and_timeline_come_in_the_order_in_which_they_came(incident: Incident, office: Office) -> None:
    first, second, third = incident.runs.get(), more(incident, office), more(incident, office)

    assert list(runs_of(incident)) == [first, second, third]
    assert [entry.kind for entry in timeline_of(incident)] == ["opened", "run_added", "run_added", "run_added"]
