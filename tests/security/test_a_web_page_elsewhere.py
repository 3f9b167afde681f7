"""SECURITY.md: a web page elsewhere posts to the API with a person's session, or reads it."""

import pytest
from django.test import Client

from rollback.approvals.models import Approval
from tests.office import MAIL, Office, stored_step


@pytest.fixture
def signed_in(office: Office) -> Client:
    """The owner's browser, which checks CSRF tokens as a real one's server does."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(office.owner, backend="django.contrib.auth.backends.ModelBackend")
    return client


def asked(office: Office) -> Approval:
    """A request that the owner may decide."""
    return stored_step(office.step(office.run(), MAIL)).approvals.get()


def test_a_web_page_elsewhere_posts_with_the_session_and_is_refused(office: Office, signed_in: Client) -> None:
    approval = asked(office)
    body = {"verdict": "approve", "reason": "from elsewhere"}
    address = f"/api/v1/approvals/{approval.pk}/decide"
    answer = signed_in.post(address, body, content_type="application/json", headers={"Origin": "https://evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (403, "csrf-failed")
    assert Approval.objects.get().state == "pending"


def test_our_own_page_posts_with_the_session_and_its_token(office: Office, signed_in: Client) -> None:
    approval = asked(office)
    token = "a" * 32
    signed_in.cookies["csrftoken"] = token
    body = {"verdict": "approve", "reason": "The text was read."}
    address = f"/api/v1/approvals/{approval.pk}/decide"
    answer = signed_in.post(address, body, content_type="application/json", headers={"X-CSRFToken": token})

    assert answer.status_code == 200
    assert Approval.objects.get().state == "approved"


def test_a_web_page_elsewhere_may_not_read_the_answers(office: Office, signed_in: Client) -> None:
    answer = signed_in.get("/api/v1/runs", headers={"Origin": "https://evil.example"})

    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_get_changes_nothing(office: Office, signed_in: Client) -> None:
    approval = asked(office)

    assert signed_in.get(f"/api/v1/approvals/{approval.pk}/decide").status_code == 405
    assert Approval.objects.get().state == "pending"
