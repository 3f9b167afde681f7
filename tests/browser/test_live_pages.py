"""Pages that follow what happens: they ask again while something moves, and take nothing from whoever reads them."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Visits

pytestmark = [pytest.mark.browser, pytest.mark.one_database]


def polls_of(page: Page) -> list[str]:
    """The requests that the page makes by itself, as they come."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "hx-request" in request.headers else None)
    return asked


def wait_for_polls(page: Page, asked: list[str], number: int) -> None:
    """Until the page has asked ``number`` more times and shows what it was answered."""
    for _ in range(number):
        with page.expect_response(lambda response: "hx-request" in response.request.headers) as answer:
            pass
        answer.value.finished()
    page.wait_for_timeout(100)
    assert len(asked) >= number


def test_a_rollback_is_followed_until_it_has_ended(site: Site, visits: Visits) -> None:
    rollback = site.scenery.started(site.scenery.small_failed_run("followed"))
    page = visits.open(f"/rollbacks/{rollback.pk}/")
    asked = polls_of(page)
    expect(page.get_by_role("main")).to_contain_text("0 of 3 restored")
    wait_for_polls(page, asked, 2)

    site.scenery.worked_on(rollback)

    expect(page.get_by_role("main")).to_contain_text("Every step in scope is restored.")
    expect(page.get_by_role("main")).to_contain_text("3 of 3 restored")
    expect(page.get_by_role("link", name="Live")).to_have_count(0)
    until_the_end = len(asked)
    page.wait_for_timeout(1500)
    assert len(asked) == until_the_end


def test_what_has_ended_is_not_asked_about(site: Site, visits: Visits) -> None:
    page = visits.open(f"/rollbacks/{site.things['ended']}/")
    asked = polls_of(page)

    page.wait_for_timeout(1500)

    assert asked == []


def test_what_changed_is_said_aloud_and_only_then(site: Site, visits: Visits) -> None:
    rollback = site.scenery.started(site.scenery.small_failed_run("announced"))
    page = visits.open(f"/rollbacks/{rollback.pk}/")
    asked = polls_of(page)
    wait_for_polls(page, asked, 2)
    expect(page.locator("#said")).to_be_empty()

    site.scenery.worked_on(rollback)

    expect(page.locator("#said")).to_have_text("Completed: 3 of 3 restored")


@pytest.mark.parametrize("control", ["a[data-row] >> nth=1", "button#pause", "main time >> nth=0"])
def test_focus_is_kept_when_a_live_page_changes(site: Site, visits: Visits, control: str) -> None:
    page = visits.open(f"/rollbacks/{site.things['moving']}/")
    asked = polls_of(page)

    page.locator(control).focus()
    wait_for_polls(page, asked, 1)

    expect(page.locator(control)).to_be_focused()


def test_what_was_opened_stays_open_and_where_it_was_scrolled_to(site: Site, visits: Visits) -> None:
    page = visits.open(f"/runs/{site.things['busy']}/", viewport={"width": 360, "height": 740})
    asked = polls_of(page)
    more = page.locator("#step-2 details")
    more.locator("summary").click()
    page.locator(".graph").evaluate("graph => graph.scrollLeft = 40")

    wait_for_polls(page, asked, 1)

    expect(more).to_have_attribute("open", "")
    expect(page.locator("#step-1 details")).not_to_have_attribute("open", "")
    assert page.locator(".graph").evaluate("graph => graph.scrollLeft") == 40


def test_what_somebody_selects_is_not_taken_from_under_them(site: Site, visits: Visits) -> None:
    page = visits.open(f"/runs/{site.things['busy']}/")
    asked = polls_of(page)

    page.locator("h1").select_text()
    wait_for_polls(page, asked, 1)

    assert page.evaluate("getSelection().toString()").startswith("Set up accounts for Priyanka")


def test_a_live_page_whose_session_has_ended_leads_to_the_sign_in(site: Site, visits: Visits) -> None:
    page = visits.open(f"/rollbacks/{site.things['moving']}/")

    page.context.clear_cookies(name="sessionid")

    page.wait_for_url(f"**/sign-in/?next=/rollbacks/{site.things['moving']}/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_have_count(0)
