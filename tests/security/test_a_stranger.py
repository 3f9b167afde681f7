"""SECURITY.md: a stranger guesses passwords, enumerates users, opens the admin site, uses ``next=https://evil``."""

import pytest
from django.test import Client
from django.urls import reverse

from rollback.ownership.models import Role
from tests.factories import make_person

PASSWORD = "correct horse battery staple"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "javascript:alert(1)",
    "https:evil.example",
    "\\\\evil.example",
]

pytestmark = pytest.mark.django_db


def sign_in(client: Client, email: str, password: str, **more: str) -> tuple[int, str]:
    """The status, and the page or where it leads."""
    answer = client.post("/sign-in/", {"username": email, "password": password, **more})
    return answer.status_code, answer.get("Location", "") or answer.content.decode()


def without_what_was_typed(page: str, email: str) -> list[str]:
    return [line.replace(email, "") for line in page.splitlines() if "csrfmiddlewaretoken" not in line]


def test_an_unknown_person_and_a_wrong_password_are_answered_alike() -> None:
    person = make_person(Role.LEAD, password=PASSWORD)

    _, wrong = sign_in(Client(), person.email, "wrong")
    _, unknown = sign_in(Client(), "nobody@example.org", "wrong")

    assert "do not belong together" in wrong
    assert without_what_was_typed(wrong, person.email) == without_what_was_typed(unknown, "nobody@example.org")


def test_guessing_is_stopped_even_for_the_right_password() -> None:
    person = make_person(Role.LEAD, password=PASSWORD)
    client = Client()

    statuses = [sign_in(client, person.email, f"wrong {n}")[0] for n in range(9)]

    assert statuses[-1] == 429
    assert sign_in(client, person.email, PASSWORD)[0] == 429
    assert client.get("/").status_code == 302


def test_guessing_at_one_address_does_not_lock_out_another_person() -> None:
    person = make_person(Role.LEAD, password=PASSWORD)
    for n in range(9):
        sign_in(Client(), "somebody.else@example.org", f"wrong {n}")

    assert sign_in(Client(), person.email, PASSWORD) == (302, "/")


def test_who_has_left_does_not_come_in() -> None:
    person = make_person(Role.ADMIN, password=PASSWORD, is_active=False)

    status, _ = sign_in(Client(), person.email, PASSWORD)

    assert status == 200


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_signing_in_leads_nowhere_else(elsewhere: str) -> None:
    person = make_person(Role.LEAD, password=PASSWORD)

    assert sign_in(Client(), person.email, PASSWORD, next=elsewhere) == (302, "/")


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_choosing_colours_leads_nowhere_else(elsewhere: str) -> None:
    answer = Client().post("/theme/", {"theme": "dark", "next": elsewhere})

    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("role", [None, Role.OWNER, Role.LEAD, Role.MANAGER, Role.VIEWER])
def test_the_admin_site_is_for_staff_only(role: str | None) -> None:
    client = Client()
    if role is not None:
        client.force_login(make_person(role), backend="django.contrib.auth.backends.ModelBackend")

    answer = client.get(reverse("admin:index"))

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"] or "/sign-in/" in answer["Location"]


def test_sign_in_links_do_not_exist_outside_of_debug() -> None:
    assert Client().get("/sign-in/link/anything").status_code in (302, 404)
