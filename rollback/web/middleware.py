"""Middleware: a refusal on a page is a page, in words, with its status."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
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
        # What was asked for with a form leads back to the page of the form, at its present state.
        back = "/" if request.method == "GET" else request.path.removesuffix(request.path.split("/")[-2] + "/")
        context = {"title": exception.title, "detail": exception.detail, "back": back}
        return render(request, "refused.html", context, status=exception.status)
