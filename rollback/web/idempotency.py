"""``Idempotency-Key``: a write that is repeated is answered as before, and not carried out again.

The key is stored in the transaction of the write itself: a crash leaves both or neither. Answers up to 4xx
are kept with it; a 5xx is not, so that trying again helps.
"""

import hashlib
import json
from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from rollback.audit.chain import canonical
from rollback.errors import Invalid
from rollback.ownership.models import User
from rollback.web.authentication import AgentCaller
from rollback.web.models import IdempotencyKey
from rollback.web.problems import CONTENT_TYPE

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def caller_of(request: Request) -> str:
    """Whose key it is: keys are never shared between callers."""
    if isinstance(request.user, AgentCaller):
        return f"agent:{request.user.token.prefix}"
    return f"person:{request.user.pk}" if isinstance(request.user, User) else ""


class WriteOnceView(APIView):
    """An API view whose writes are one transaction each and honour ``Idempotency-Key``."""

    _kept: IdempotencyKey | None = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Safe methods as they are; an unsafe one together with its key in one transaction."""
        if request.method not in UNSAFE:
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 500:
                transaction.set_rollback(True)
            elif self._kept is not None:
                _keep(self._kept, response)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Once the caller is known: the handler runs in a savepoint, or is replaced by what was answered before."""
        super().initial(request, *args, **kwargs)
        if request.method not in UNSAFE:
            return
        name = (request.method or "").lower()
        handler = getattr(self, name, self.http_method_not_allowed)
        key = request.headers.get(HEADER, "")
        if key:
            row, answered = _reserve(request, key)
            if answered:
                setattr(self, name, lambda *_, **__: _replay(row))
                return
            self._kept = row
        # A refusal undoes what the handler did, and leaves the key with the refusal.
        setattr(self, name, transaction.atomic(handler))


def _reserve(request: Request, key: str) -> tuple[IdempotencyKey, bool]:
    """The key's row and whether it was there before. Raises ``Invalid`` for another request under the same key."""
    if len(key) > 255:
        raise Invalid("An Idempotency-Key has at most 255 characters.", "idempotency-key-too-long")
    asked = f"{request.method} {request.get_full_path()}\n{canonical(request.data)}"
    fingerprint = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
    caller = caller_of(request)
    try:
        with transaction.atomic():
            # Waits here for as long as the first request with this key is under way.
            return IdempotencyKey.objects.create(caller=caller, key=key, fingerprint=fingerprint), False
    except IntegrityError:
        row = IdempotencyKey.objects.get(caller=caller, key=key)
    if row.fingerprint != fingerprint:
        raise Invalid("This Idempotency-Key was used with another request.", "idempotency-mismatch")
    return row, True


def _keep(row: IdempotencyKey, response: Response) -> None:
    body = "" if response.data is None else json.dumps(response.data, cls=JSONEncoder)
    IdempotencyKey.objects.filter(pk=row.pk).update(status=response.status_code, body=body)


def _replay(row: IdempotencyKey) -> Response:
    response = Response(json.loads(row.body) if row.body else None, status=row.status, headers={REPLAYED: "true"})
    if (row.status or 0) >= 400:
        response.content_type = CONTENT_TYPE
    return response
