"""Lists of the API are paged by key."""

import base64
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollback.runs.models import Run
from tests.office import MAIL, Office


def test_a_list_is_walked_page_by_page_without_gaps_or_repeats(office: Office) -> None:
    made = [office.run() for _ in range(5)]
    lead, seen = office.person(office.lead), []
    path = "/runs?limit=2"
    while path:
        page = lead.get(path).ok()
        seen += [run["id"] for run in page["results"]]
        path = f"/runs?{urlsplit(page['next']).query}" if page["next"] else ""
        office.run()  # what comes meanwhile disturbs nothing

    assert seen == list(reversed(made))


def test_a_page_has_at_most_200(office: Office) -> None:
    own = {"workflow": office.onboard, "version": office.onboard.active, "agent": "a"}
    Run.objects.bulk_create([Run(**own) for _ in range(201)])
    page = office.person(office.lead).get("/runs?limit=1000000").ok()

    assert len(page["results"]) == 200
    assert page["next"]


@pytest.mark.parametrize("position", [b"p=not-an-id", b"o=-1&p=x", b"\xff", b"p=1&r=1"])
def test_a_cursor_that_no_list_gave_out_is_refused(office: Office, position: bytes) -> None:
    office.run()
    answer = office.person(office.lead).get(f"/runs?cursor={quote(base64.b64encode(position))}")

    assert (answer.status, answer.json["code"]) in {(422, "invalid-cursor"), (404, "not-found")}


@pytest.mark.parametrize("query", ["limit=0", "limit=-5", "limit=many", "limit="])
def test_a_limit_that_makes_no_sense_is_overlooked(office: Office, query: str) -> None:
    run = office.run()

    assert [row["id"] for row in office.person(office.lead).get(f"/runs?{query}").ok()["results"]] == [run]


@pytest.mark.parametrize("path", ["/runs?limit={}", "/approvals?limit={}"])
def test_a_longer_page_takes_no_more_statements(office: Office, path: str) -> None:
    for _ in range(4):
        office.step(office.run(), MAIL)
    lead = office.person(office.lead)
    counts = []
    for limit in (1, 4):
        with CaptureQueriesContext(connection) as statements:
            assert len(lead.get(path.format(limit)).ok()["results"]) == limit
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_one_run_takes_as_many_statements_with_one_step_as_with_many(office: Office) -> None:
    small, large = office.run(), office.run()
    office.did(small)
    for _ in range(4):
        office.did(large)
        office.step(large, MAIL)
    lead = office.person(office.lead)

    def statements(run: str) -> tuple[int, Any]:
        with CaptureQueriesContext(connection) as captured:
            answer = lead.get(f"/runs/{run}").ok()
        return len(captured), answer

    assert statements(small)[0] == statements(large)[0]
    assert len(statements(large)[1]["steps"]) == 8
