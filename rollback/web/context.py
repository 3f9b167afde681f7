"""What every page needs: who is signed in and what waits for them."""

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, object]:
    """The context of the frame around every page."""
    return {}
