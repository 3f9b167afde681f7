"""Middleware: pages are for people who signed in."""

from django.contrib.auth.middleware import LoginRequiredMiddleware as DjangoLoginRequiredMiddleware


class LoginRequiredMiddleware(DjangoLoginRequiredMiddleware):
    """Every page asks for sign-in, unless its view says otherwise; the API has its own authentication."""
