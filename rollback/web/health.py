"""Is it alive, and is it ready: database, broker, a worker and the sweeper, each by name."""

import datetime as dt
from collections.abc import Callable

import redis
from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

SEEN_WITHIN = dt.timedelta(seconds=30)


@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """The process lives."""
    return JsonResponse({"status": "ok"})


@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when everything is there that recovery needs, else 503; each check by name, with what is wrong."""
    found = {name: check() for name, check in CHECKS.items()}
    ok = all(not wrong for wrong in found.values())
    checks = {name: {"ok": not wrong, "detail": wrong or "ok"} for name, wrong in found.items()}
    return JsonResponse({"status": "ok" if ok else "failing", "checks": checks}, status=200 if ok else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"not reachable: {type(error).__name__}"
    return ""


def _broker() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except redis.RedisError as error:
        return f"not reachable: {type(error).__name__}"
    return ""


def _seen(name: str) -> Callable[[], str]:
    def check() -> str:
        try:
            sighting = apps.get_model("rollback", "WorkerSighting").objects.filter(name=name).first()
        except DatabaseError:
            return "not known: the database is not reachable"
        if sighting is None:
            return "never seen"
        ago = timezone.now() - sighting.seen_at
        return "" if ago <= SEEN_WITHIN else f"last seen {int(ago.total_seconds())} s ago"

    return check


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "broker": _broker,
    "worker": _seen("worker"),
    "sweeper": _seen("sweeper"),
}
