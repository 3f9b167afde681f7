"""What holds on every page: usable by everybody, on any screen, in either light, with or without JavaScript."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, WIDE, Site, Visits
from tests.browser.places import PLACES, Place

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

COLOURS = ["color-contrast", "link-in-text-block"]


@dataclass
class Shown:
    """A page that stays open for all tests of its place."""

    place: Place
    path: str
    page: Page
    walk: Visits

    def violations(self, **options: Any) -> str:
        """What axe finds wrong; empty when nothing."""
        if self.page.evaluate("typeof axe") == "undefined":
            self.page.evaluate(AXE_SCRIPT)
        found = AxeResults(
            self.page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"], **options})
        )
        return found.generate_report() if found.violations_count else ""


@pytest.fixture(scope="module")
def walk(chrome: Browser, site: Site) -> Iterator[Visits]:
    """One walk through all places."""
    visits = Visits(chrome, site)
    yield visits
    visits.end()


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: place.name)
def shown(request: pytest.FixtureRequest, walk: Visits) -> Iterator[Shown]:
    """Each place in turn. That Chromium complained about nothing is seen when it is left."""
    place = request.param
    path = place.path.format(**walk.site.things)
    page = walk.open(path, place.who)
    yield Shown(place, path, page, walk)
    assert walk.watched.complaints == []


def test_axe_finds_nothing_wrong_in_the_light(shown: Shown) -> None:
    assert shown.walk.watched.status[shown.page.url] == shown.place.status
    shown.page.emulate_media(color_scheme="light")
    shown.page.set_viewport_size(WIDE)

    assert shown.violations() == ""


def test_axe_finds_no_colour_wrong_in_the_dark(shown: Shown) -> None:
    shown.page.emulate_media(color_scheme="dark")
    shown.page.set_viewport_size(WIDE)

    assert shown.violations(runOnly=COLOURS) == ""


def test_axe_finds_nothing_wrong_on_a_phone(shown: Shown) -> None:
    shown.page.emulate_media(color_scheme="dark")
    shown.page.set_viewport_size(PHONE)

    assert shown.violations(rules={"target-size": {"enabled": True}}) == ""


def test_nothing_reaches_beyond_a_phones_edge(shown: Shown) -> None:
    shown.page.set_viewport_size(PHONE)

    assert shown.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


RELATIVE = re.compile(r"\bnow\b|(\bin )?\d+ [dhms]\b( \d+ [hms]\b)?( ago)?")


def _text(page: Page) -> str:
    """What one reads, without the times, which go on."""
    return RELATIVE.sub("…", page.locator("main").inner_text())


def test_everything_can_be_read_with_javascript_switched_off(shown: Shown) -> None:
    shown.page.set_viewport_size(WIDE)

    without = shown.walk.open(shown.path, shown.place.who, java_script_enabled=False)

    expect(without.locator("h1")).to_be_visible()
    assert _text(without) == _text(shown.page)
