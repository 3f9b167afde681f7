"""Light or dark: as the system says, until one chooses."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

LIGHT, DARK = "rgb(251, 252, 253)", "rgb(16, 18, 20)"


def expect_page(page: Page, colour: str) -> None:
    """The page has this colour, and offers the other."""
    other = {LIGHT: "dark", DARK: "light"}[colour]
    expect(page.locator("body")).to_have_css("background-color", colour)
    expect(page.get_by_role("button", name="Switch to")).to_have_count(1)
    expect(page.get_by_role("button", name=f"Switch to {other} colours")).to_be_visible()


@pytest.mark.parametrize(("system", "colour"), [("light", LIGHT), ("dark", DARK)])
def test_without_a_choice_the_system_decides(visits: Visits, system: str, colour: str) -> None:
    expect_page(visits.open("/", color_scheme=system), colour)


@pytest.mark.parametrize(("system", "chosen", "colour"), [("light", "dark", DARK), ("dark", "light", LIGHT)])
def test_the_choice_is_stored_and_leads_back_to_the_page(visits: Visits, system: str, chosen: str, colour: str) -> None:
    page = visits.open("/runs/?state=failed", color_scheme=system)

    page.get_by_role("button", name=f"Switch to {chosen} colours").click()

    page.wait_for_url("**/runs/?state=failed")
    expect_page(page, colour)
    later = page.context.new_page()
    later.goto("/incidents/")
    expect_page(later, colour)
    later.goto("/no/such/page/")
    expect(later.locator("body")).to_have_css("background-color", colour)
