"""Answering a request for a yes: from a phone, too late, without words, and without JavaScript."""

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from rollback.approvals.models import Approval
from rollback.approvals.services import decide
from tests.browser.conftest import PHONE, Site, Visits
from tests.office import MAIL, stored_step

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

SAM = "system_owner"


def address(approval: Approval) -> str:
    """Where the request is answered."""
    return f"/approvals/{approval.pk}/"


def state(approval: Approval) -> str:
    """As it is stored now."""
    approval.refresh_from_db()
    return approval.state


def sent(page: Page) -> list[Request]:
    """The forms that the page sends from now on."""
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request) if request.method == "POST" else None)
    return requests


def reason(page: Page) -> Locator:
    """The field of the open sheet."""
    return page.get_by_role("dialog").get_by_role("textbox")


def test_an_owner_approves_from_a_phone_in_two_taps(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM, viewport=PHONE, has_touch=True, is_mobile=True)

    page.get_by_role("link", name="Approve…").tap()
    page.get_by_role("button", name="Approve", exact=True).tap()

    expect(page.get_by_role("main")).to_contain_text("Sam System approved")
    assert state(approval) == "approved"
    assert approval.step is not None
    assert stored_step(str(approval.step.pk)).state == "cleared"


def test_the_sheet_opens_in_place_and_cancelling_changes_nothing(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM)
    requests = sent(page)

    page.get_by_role("link", name="Refuse…").click()
    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="Refuse…")).to_be_focused()
    assert (requests, state(approval)) == ([], "pending")


def test_a_double_click_sends_one_answer(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM)
    requests = sent(page)

    page.get_by_role("link", name="Approve…").click()
    page.get_by_role("button", name="Approve", exact=True).dblclick(no_wait_after=True)

    expect(page.get_by_role("main")).to_contain_text("Sam System approved")
    assert len(requests) == 1


def test_refusing_without_a_reason_asks_for_it_in_the_field(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM)
    requests = sent(page)

    page.get_by_role("link", name="Refuse…").click()
    page.get_by_role("button", name="Refuse", exact=True).click()

    expect(reason(page)).to_be_focused()
    assert (requests, state(approval)) == ([], "pending")


@pytest.mark.parametrize("javascript", [True, False])
def test_refusing_with_blanks_for_a_reason_is_refused_beside_the_field(
    site: Site, visits: Visits, javascript: bool
) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM, java_script_enabled=javascript)

    page.get_by_role("link", name="Refuse…").click()
    reason(page).fill("   ")
    page.get_by_role("button", name="Refuse", exact=True).click()

    field = reason(page)
    expect(page.get_by_role("dialog")).to_contain_text("(required)")
    expect(field).to_have_accessible_description(
        "Goes into the record, with your name. A reason is required to refuse."
    )
    expect(field).to_have_attribute("aria-invalid", "true")
    assert state(approval) == "pending"


def test_a_refused_answer_keeps_what_was_typed(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM)
    much = "The amount is wrong. " * 250

    page.get_by_role("link", name="Refuse…").click()
    reason(page).evaluate("(field, text) => (field.value = text)", much)  # more than one could type
    page.get_by_role("button", name="Refuse", exact=True).click()

    expect(page.get_by_role("dialog")).to_contain_text("at most 5000 characters")
    expect(reason(page)).to_have_value(much)
    assert state(approval) == "pending"


def test_what_cannot_be_undone_is_not_approved_without_a_reason(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked(action=MAIL)
    page = visits.open(address(approval), "owner")

    page.get_by_role("link", name="Approve…").click()
    expect(page.get_by_role("dialog")).to_contain_text("It cannot be undone.")
    page.get_by_role("button", name="Approve", exact=True).click()

    expect(reason(page)).to_be_focused()
    assert state(approval) == "pending"


def test_a_form_that_comes_too_late_is_told_who_decided(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM)
    page.get_by_role("link", name="Approve…").click()

    decide(approval, site.person(SAM), "refuse", "The amount is wrong.")
    page.get_by_role("button", name="Approve", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("This was already refused by Sam System at")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed by you.")
    expect(page.get_by_role("link", name="Approve…")).to_have_count(0)
    assert state(approval) == "refused"


def test_one_approves_with_javascript_switched_off(site: Site, visits: Visits) -> None:
    approval = site.scenery.asked()
    page = visits.open(address(approval), SAM, viewport=PHONE, java_script_enabled=False)

    page.get_by_role("link", name="Approve…").click()
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_in_viewport()
    reason(page).fill("The invoice is right.")
    page.get_by_role("button", name="Approve", exact=True).click()

    expect(page.get_by_role("main")).to_contain_text("The invoice is right.")
    assert state(approval) == "approved"


def test_who_was_not_asked_sees_who_was(site: Site, visits: Visits) -> None:
    page = visits.open(address(site.scenery.asked()), "lead")

    expect(page.get_by_role("link", name="Approve…")).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("Asked of Sam System.")
