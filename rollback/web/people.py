"""Who is looking at a page."""

from django.http import HttpRequest

from rollback.errors import NotPermitted
from rollback.ownership.models import User


def signed_in(request: HttpRequest) -> User:
    """The person who is signed in; pages are never reached without one."""
    if not isinstance(request.user, User):
        raise NotPermitted("Sign in first.", "not-signed-in")
    return request.user
