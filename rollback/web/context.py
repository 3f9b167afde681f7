"""What every page needs: the rail, who is signed in, and the colours they chose."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from rollback.ownership.models import User
from rollback.ownership.views import THEMES

_ENTRIES = [
    ("inbox", "Inbox", "i"),
    ("runs", "Runs", "r"),
    ("incidents", "Incidents", "a"),
    ("rollbacks", "Rollbacks", "b"),
    ("workflows", "Workflows", "w"),
    ("runbooks", "Runbooks", "k"),
]


@dataclass(frozen=True)
class RailItem:
    """One entry of the rail; ``key`` follows ``g`` on the keyboard."""

    url: str
    label: str
    icon: str
    key: str
    here: bool
    count: int = 0


def shell(request: HttpRequest) -> dict[str, object]:
    """The context of the frame around every page."""
    theme = request.COOKIES.get("theme", "")
    context: dict[str, object] = {
        "organisation": settings.ORGANISATION,
        "theme": theme if theme in THEMES else "",
    }
    if isinstance(getattr(request, "user", None), User):
        context["rail"] = [_item(request, *entry) for entry in _ENTRIES]
    return context


def _item(request: HttpRequest, name: str, label: str, key: str) -> RailItem:
    url = reverse(name)
    here = request.path == url if url == "/" else request.path.startswith(url)
    return RailItem(url, label, name, key, here)
