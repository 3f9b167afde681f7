"""Signing in and out, and the colours one prefers."""

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from rollback.ownership.forms import SignInForm
from rollback.ownership.sign_in_links import person_of

YEAR = 365 * 24 * 3600
THEMES = ("light", "dark")


class SignInView(LoginView):
    """E-mail and password. Returns to where one wanted to go, on this site only."""

    template_name = "rollback/ownership/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOutView(LogoutView):
    """By POST only."""


def locked_out(request: HttpRequest, credentials: object = None, *args: object, **kwargs: object) -> HttpResponse:
    """Too many wrong tries from here for this address."""
    form = SignInForm(request)
    context = {"form": form, "locked": True, "next": safe_next(request, "")}
    return render(request, "rollback/ownership/sign_in.html", context, status=429)


def safe_next(request: HttpRequest, fallback: str) -> str:
    """``next`` of the form, if it leads somewhere on this site."""
    target = request.POST.get("next", "")
    ok = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if ok else fallback


@login_not_required
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Light or dark from now on, in this browser."""
    response = redirect(safe_next(request, "/"))
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie("theme", theme, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.HTTPS)
    return response


@login_not_required
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """A signed link of ``manage.py sign_in_link``: shows whose it is, signs in by POST. Routed in DEBUG only."""
    person = person_of(token)
    if request.method != "POST":
        return render(request, "rollback/ownership/sign_in_link.html", {"person": person})
    login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponseRedirect(safe_next(request, "/"))
