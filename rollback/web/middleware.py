"""Middleware: a refusal on a page is a page, in words, with its status."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils.cache import patch_vary_headers

from rollback.errors import Refused


class RefusalMiddleware:
    """Turns our own refusals into a page that says what is wrong and leads back. The API has its own way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pages differ for HTMX: caches must know."""
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Only refusals; everything else goes its usual way."""
        if not isinstance(exception, Refused):
            return None
        context = {"title": exception.title, "detail": exception.detail, "back": _page_of_the_form(request)}
        return render(request, "refused.html", context, status=exception.status)


def _page_of_the_form(request: HttpRequest) -> str:
    """Where what was asked for with a form leads back to: the form's page, at its present state."""
    if request.method in ("GET", "HEAD"):
        return "/"
    # "/things/7/act/" is a button on "/things/7/"; a page that takes its own form is the page itself.
    above = request.path.removesuffix(request.path.split("/")[-2] + "/")
    return above if is_valid_path(above) else request.path
