"""List pages: as many statements for many rows as for few, page by page, and fragments for HTMX."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rollback.recovery.preview import preview
from rollback.recovery.services import start_rollback
from rollback.runs.models import Run
from tests.office import MAIL, REFUND, Office, stored_run

LISTS = ["/?view=all", "/runs/", "/rollbacks/", "/incidents/", "/workflows/", "/runbooks/"]
WHOLE = {"kind": "all", "cascade": False}


@pytest.fixture
def lead(office: Office, client: Client) -> Client:
    client.force_login(office.lead, backend="django.contrib.auth.backends.ModelBackend")
    return client


def happen(office: Office, times: int) -> None:
    """Runs that fail, requests that wait, rollbacks that run."""
    for _ in range(times):
        run = office.run(goal="Onboard somebody")
        office.step(office.run(), MAIL)
        office.step(office.run(), REFUND, input={"amount": 1000})
        office.did(run)
        office.finish(run, "failed")
        stored = stored_run(run)
        start_rollback(stored, WHOLE, "Wrong.", preview(stored, WHOLE).hash, office.lead)


def statements(client: Client, address: str) -> int:
    """How many statements one visit takes."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("address", LISTS)
def test_more_rows_take_no_more_statements(office: Office, lead: Client, address: str) -> None:
    happen(office, 2)
    lead.get(address)
    few = statements(lead, address)

    happen(office, 5)

    assert statements(lead, address) == few


@pytest.mark.parametrize("address", ["/?view=all", "/runs/{run}/", "/rollbacks/{rollback}/", "/incidents/{incident}/"])
def test_a_live_page_gives_its_moving_part_to_htmx_and_says_so_to_caches(
    office: Office, lead: Client, address: str
) -> None:
    happen(office, 1)
    run = Run.objects.get(rollbacks__isnull=False)
    rollback, incident = run.rollbacks.get(), run.incidents.get()
    address = address.format(run=run.pk, rollback=rollback.pk, incident=incident.pk)

    page, part = lead.get(address), lead.get(address, headers={"HX-Request": "true"})

    assert b"<html" in page.content
    assert b"<html" not in part.content
    assert b"hx-get" in part.content
    assert "HX-Request" in page["Vary"]
    assert "HX-Request" in part["Vary"]


def test_a_long_list_is_walked_page_by_page(office: Office, lead: Client) -> None:
    for n in range(55):
        office.run(goal=f"run {n}")

    first = lead.get("/runs/").context["page"]
    second = lead.get(f"/runs/?after={first.after}").context["page"]

    assert [len(first.rows), len(second.rows)] == [50, 5]
    assert (first.is_later, second.is_later, second.after) == (False, True, "")
    assert not {run.pk for run in first.rows} & {run.pk for run in second.rows}


def test_an_address_of_a_page_that_was_changed_is_refused(office: Office, lead: Client) -> None:
    assert lead.get("/runs/?after=nonsense").status_code == 422
