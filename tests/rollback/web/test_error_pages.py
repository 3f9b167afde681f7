"""Errors that Django itself answers with a page: the page is ours, and needs nothing that may be missing."""

import re

import pytest
from django.http import HttpRequest
from django.test import Client
from django.views.defaults import permission_denied, server_error

from tests.factories import make_person


def heading(html: bytes) -> str:
    """The first heading of the page."""
    found = re.search(r"<h1>(.*?)</h1>", html.decode())
    assert found, html
    return found[1]


@pytest.mark.django_db
def test_an_unknown_address_is_not_found_and_says_so() -> None:
    client = Client()
    client.force_login(make_person(), backend="django.contrib.auth.backends.ModelBackend")

    answer = client.get("/no/such/page/")

    assert (answer.status_code, heading(answer.content)) == (404, "Not found")


@pytest.mark.django_db
def test_an_unknown_address_keeps_the_chosen_colours() -> None:
    client = Client()
    client.cookies["theme"] = "dark"

    assert b'data-theme="dark"' in client.get("/no/such/page/").content


def test_a_host_that_is_not_ours_is_a_bad_request() -> None:
    answer = Client(raise_request_exception=False).get("/sign-in/", headers={"host": "elsewhere.example.org"})

    assert (answer.status_code, heading(answer.content)) == (400, "That request cannot be read")


def test_a_form_that_was_not_given_out_is_refused_and_says_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post("/theme/", {"theme": "dark"})

    assert (answer.status_code, heading(answer.content)) == (403, "This page was too old")
    assert b"reload the page" in answer.content


def test_a_fault_of_ours_has_a_page() -> None:
    answer = server_error(HttpRequest())

    assert (answer.status_code, heading(answer.content)) == (500, "Something went wrong")


def test_what_django_refuses_has_a_page() -> None:
    answer = permission_denied(HttpRequest(), PermissionError())

    assert (answer.status_code, heading(answer.content)) == (403, "Not permitted")
