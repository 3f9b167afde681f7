"""``Idempotency-Key``: a write that is repeated is answered as before, and not carried out again.

The key is stored in the transaction of the write itself: a crash leaves both or neither. Answers and refusals
are kept with it, so that a repeated request always hears the same. What is not kept, so that trying again
helps: a 5xx, and what was refused before the body was looked at (no token, wrong token, too large, not JSON).

A key that is still in use by a first request is 409 ``idempotency-in-flight`` on PostgreSQL. On SQLite there is
one writer at a time: the second request has its turn after the first one and is answered as that one was.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from rollback.audit.chain import canonical
from rollback.errors import Conflict, Invalid, LengthRequired, Refused
from rollback.ownership.models import User
from rollback.web.authentication import AgentCaller
from rollback.web.models import IdempotencyKey
from rollback.web.problems import CONTENT_TYPE

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MAX_KEY_LENGTH = 255


class WriteOnceView(APIView):
    """An API view whose writes are one transaction each and honour ``Idempotency-Key``."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Once the caller is known and allowed, put the transaction and the key around the handler."""
        super().initial(request, *args, **kwargs)
        method = request.method or ""
        handler = getattr(self, method.lower(), None)
        if method in UNSAFE and handler is not None:
            _refuse_unknown_length(request)
            setattr(self, method.lower(), partial(self._write_once, handler))

    def _write_once(self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER, "")
        # Reads the body: before the transaction, so that a slow sender holds no lock.
        fingerprint = _fingerprint(request)
        with transaction.atomic():
            if not key:
                return handler(request, *args, **kwargs)
            row, answered = _reserve(caller_of(request), key, fingerprint)
            if answered:
                return _replay(row)
            response = self._answer_or_refusal(handler, request, *args, **kwargs)
            _keep(row, response)
        return response

    def _answer_or_refusal(self, handler: Callable[..., Response], *args: Any, **kwargs: Any) -> Response:
        """What the handler answers. A refusal undoes what it did, and is an answer too; any other error is not."""
        try:
            with transaction.atomic():
                return handler(*args, **kwargs)
        except (Refused, APIException, Http404, PermissionDenied) as refusal:
            response: Response = self.handle_exception(refusal)
            if response.status_code >= 500:
                raise
            return response


def _refuse_unknown_length(request: Request) -> None:
    """WSGI hands on no body of unknown length: it would look empty, so it is refused instead."""
    if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
        raise LengthRequired("Send the body with its Content-Length, not in chunks.")


def caller_of(request: Request) -> str:
    """Whose key it is: keys are never shared between callers."""
    if isinstance(request.user, AgentCaller):
        return f"agent:{request.user.token.prefix}"
    assert isinstance(request.user, User)
    return f"person:{request.user.pk}"


def _fingerprint(request: Request) -> str:
    asked = f"{request.method} {request.get_full_path()}\n{canonical(request.data)}"
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def _reserve(caller: str, key: str, fingerprint: str) -> tuple[IdempotencyKey, bool]:
    """The key's row and whether it was there before. Raises ``Invalid`` for another request under the same key."""
    if len(key) > MAX_KEY_LENGTH:
        raise Invalid(f"An {HEADER} has at most {MAX_KEY_LENGTH} characters.", "idempotency-key-too-long")
    if not _first_in_line(caller, key):
        raise Conflict(
            "The first request with this key is under way.", "idempotency-in-flight", more={"retry_after": 1}
        )
    row, new = IdempotencyKey.objects.get_or_create(caller=caller, key=key, defaults={"fingerprint": fingerprint})
    if row.fingerprint != fingerprint:
        raise Invalid(f"This {HEADER} was used with another request.", "idempotency-mismatch")
    return row, not new


def _first_in_line(caller: str, key: str) -> bool:
    """Whether nobody else is at work under this key; held until the transaction ends."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"{caller}\n{key}"])
        return bool(cursor.fetchone()[0])


def _keep(row: IdempotencyKey, response: Response) -> None:
    body = "" if response.data is None else json.dumps(response.data, cls=JSONEncoder)
    IdempotencyKey.objects.filter(pk=row.pk).update(status=response.status_code, body=body)


def _replay(row: IdempotencyKey) -> Response:
    response = Response(json.loads(row.body) if row.body else None, status=row.status, headers={REPLAYED: "true"})
    if (row.status or 0) >= 400:
        response.content_type = CONTENT_TYPE
    return response


def forget_old_keys(now: dt.datetime, keep: dt.timedelta = dt.timedelta(days=7)) -> int:
    """Delete the keys older than ``keep``; answers how many. For the sweeper."""
    with transaction.atomic():
        return IdempotencyKey.objects.filter(created_at__lt=now - keep).delete()[0]
