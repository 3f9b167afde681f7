"""Signing in leads to where one wanted to go; what is wrong is said and can be corrected."""

import pytest
from playwright.sync_api import Page, expect

from rollback.ownership.models import Role, User
from tests.browser.conftest import Site, Visits
from tests.browser.places import NOBODY
from tests.factories import make_person

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

PASSWORD = "correct horse battery staple"


def fill(page: Page, person: User, password: str) -> None:
    """Fill in the form and send it."""
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_link_leads_through_the_sign_in_to_the_exact_thing(site: Site, visits: Visits, javascript: bool) -> None:
    person = make_person(Role.LEAD, password=PASSWORD)
    page = visits.open(f"/incidents/{site.things['incident']}/", NOBODY, java_script_enabled=javascript)

    fill(page, person, PASSWORD)

    page.wait_for_url(f"**/incidents/{site.things['incident']}/")
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()


def test_a_wrong_password_is_said_and_keeps_the_address(visits: Visits) -> None:
    person = make_person(Role.LEAD, password=PASSWORD)
    page = visits.open("/runs/", NOBODY)

    fill(page, person, "wrong")

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value(person.email)
    fill(page, person, PASSWORD)
    page.wait_for_url("**/runs/")
