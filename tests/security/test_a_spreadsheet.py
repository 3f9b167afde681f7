"""SECURITY.md: a spreadsheet runs ``=HYPERLINK(…)`` from our CSV."""

import csv
import io

import pytest
from django.test import Client

from rollback.web.pages import harmless
from tests.office import Office

FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"]


def table(client: Client, address: str) -> list[list[str]]:
    """The rows of an export."""
    answer = client.get(address)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.content.decode())))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_cell_that_would_be_run_is_text(formula: str) -> None:
    assert harmless(formula) == f"'{formula}"


@pytest.mark.parametrize("text", ["", "plain", "a=b", "2026-11-24", "1"])
def test_any_other_cell_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_goal_that_is_a_formula_is_exported_as_text(office: Office, client: Client) -> None:
    office.run(goal='=HYPERLINK("https://evil.example","Click")')
    client.force_login(office.lead, backend="django.contrib.auth.backends.ModelBackend")

    name, titles, row = table(client, "/runs/?format=csv")

    assert "times in UTC" in name[0]
    assert row[titles.index("Goal")] == '\'=HYPERLINK("https://evil.example","Click")'


def test_an_export_holds_what_the_filters_leave_and_what_one_may_see(office: Office, client: Client) -> None:
    office.finish(office.run(goal="mine, done"), "failed")
    office.run(goal="mine, open")
    office.other_agent.post("/runs", {"workflow": "other", "goal": "somebody else's"})
    client.force_login(office.owner, backend="django.contrib.auth.backends.ModelBackend")

    _, titles, *rows = table(client, "/runs/?format=csv&state=failed")
    assert [row[titles.index("Goal")] for row in rows] == ["mine, done"]
    _, titles, *rows = table(client, "/runs/?format=csv")
    assert [row[titles.index("Goal")] for row in rows] == ["mine, open", "mine, done"]


@pytest.mark.parametrize("name", ["runs", "rollbacks", "incidents"])
def test_every_list_can_be_exported(office: Office, client: Client, name: str) -> None:
    client.force_login(office.lead, backend="django.contrib.auth.backends.ModelBackend")

    assert len(table(client, f"/{name}/?format=csv")) == 2
