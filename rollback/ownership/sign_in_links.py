"""Signed sign-in links, for trying Recourse out: they work with ``DEBUG`` on and nowhere else."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from rollback.errors import NotFound
from rollback.ownership.models import User
from rollback.ownership.selectors import active_person

_SALT = "recourse.sign-in-link"
_MAX_AGE_SECONDS = 24 * 3600


def link_for(person: User) -> str:
    """The link that signs ``person`` in for a day."""
    token = signing.dumps(person.email, salt=_SALT)
    return str(settings.PUBLIC_URL) + reverse("sign-in-link", args=[token])


def person_of(token: str) -> User:
    """Whose link it is. Raises ``NotFound`` for one that is wrong, too old, or whose person has left."""
    try:
        email = signing.loads(token, salt=_SALT, max_age=_MAX_AGE_SECONDS)
    except signing.BadSignature as error:
        raise NotFound("This sign-in link is not valid any more.", "unknown-link") from error
    person = active_person(email)
    if person is None or not settings.DEBUG:
        raise NotFound("This sign-in link is not valid any more.", "unknown-link")
    return person
