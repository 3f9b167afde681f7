"""Everything can be reached, seen and done from the keyboard."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Site, Visits

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

LONGEST_PATH = 120
"""More stops than any page here has: the walk ends by itself before."""

STOP = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const bar = document.querySelector(".actions.sticky");
  const [box, style] = [focused.getBoundingClientRect(), getComputedStyle(focused)];
  const over = bar && !bar.contains(focused) ? bar.getBoundingClientRect() : null;
  return {
    name: focused.outerHTML.slice(0, 120),
    inBar: Boolean(bar?.contains(focused)),
    covered: Boolean(over && box.top < over.bottom && over.top < box.bottom),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
  };
}"""


def stops(page: Page) -> list[dict[str, Any]]:
    """Where the Tab key leads, from the top of the page to its end."""
    found: list[dict[str, Any]] = []
    for _ in range(LONGEST_PATH):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return found
        found.append(stop)
    raise AssertionError(f"focus does not leave the page: {found[-1]}")


def path(site: Site, template: str) -> str:
    """With the ids of the things that are there."""
    return template.format(**site.things)


def test_the_question_mark_opens_the_help_and_escape_leads_back(visits: Visits) -> None:
    page = visits.open("/runs/")
    page.keyboard.press("j")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("[data-row]").first).to_be_focused()


def test_the_slash_leads_to_the_search_where_letters_are_letters(visits: Visits) -> None:
    page = visits.open("/")

    page.keyboard.press("/")
    page.keyboard.type("/gajk?")

    search = page.get_by_role("searchbox", name="Search runs")
    expect(search).to_be_focused()
    expect(search).to_have_value("/gajk?")


def test_the_search_finds_runs_by_their_goal(visits: Visits) -> None:
    page = visits.open("/")

    page.keyboard.press("/")
    page.keyboard.type("number 41")
    page.keyboard.press("Enter")

    page.wait_for_url("**/runs/?text=number+41")
    expect(page.locator("[data-row]")).to_have_count(1)


def test_j_and_k_move_in_a_list_and_enter_opens(site: Site, visits: Visits) -> None:
    page = visits.open("/rollbacks/")
    rows = page.locator("[data-row]")

    for key, row in [("k", 0), ("j", 1), ("j", 2), ("k", 1)]:
        page.keyboard.press(key)
        expect(rows.nth(row)).to_be_focused()
    target = rows.nth(1).get_attribute("href")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**{target}")


def test_j_stays_on_the_last_row(site: Site, visits: Visits) -> None:
    page = visits.open("/workflows/")
    rows = page.locator("[data-row]")

    for _ in range(rows.count() + 2):
        page.keyboard.press("j")

    expect(rows.last).to_be_focused()


@pytest.mark.parametrize(("key", "where"), [("i", "/"), ("r", "/runs/"), ("a", "/incidents/"), ("b", "/rollbacks/")])
def test_g_and_a_letter_go_there(site: Site, visits: Visits, key: str, where: str) -> None:
    page = visits.open("/workflows/")

    page.keyboard.press("g")
    page.keyboard.press(key)

    page.wait_for_url(site.url + where)


def test_a_letter_that_leads_nowhere_is_forgotten(visits: Visits) -> None:
    page = visits.open("/runs/")

    for key in ("g", "x", "j"):
        page.keyboard.press(key)

    expect(page.locator("[data-row]").first).to_be_focused()


def test_the_first_stop_skips_to_the_content(visits: Visits) -> None:
    page = visits.open("/runs/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


BUSY_PAGES = ("/approvals/{pending}/", "/runs/{failed}/", "/runs/{failed}/rollback/", "/incidents/{incident}/")


@pytest.mark.parametrize("template", BUSY_PAGES)
def test_focus_can_always_be_seen(site: Site, visits: Visits, template: str) -> None:
    page = visits.open(path(site, template), "admin")

    found = stops(page)

    assert len(found) > 15
    assert [stop["name"] for stop in found if stop["outline"] < 2] == []


@pytest.mark.parametrize("template", [*BUSY_PAGES, "/compensations/{handed_over}/"])
def test_the_bar_at_the_bottom_of_a_phone_never_covers_what_has_focus(
    site: Site, visits: Visits, template: str
) -> None:
    who = "system_owner" if "approvals" in template else "lead"
    page = visits.open(path(site, template), who, viewport=PHONE)

    found = stops(page)

    assert any(stop["inBar"] for stop in found)
    assert [stop["name"] for stop in found if stop["covered"]] == []
