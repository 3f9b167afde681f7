"""What the four systems have in common."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from examples.demo.world.store import Doc, Store


class Refusal(Exception):
    """The system says no: a status, a stable code, and words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class System(ABC):
    """One system. ``handle`` runs inside the store's transaction."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @abstractmethod
    def handle(self, method: str, path: list[str], body: Doc) -> tuple[int, Doc]:
        """Answer one request with a status and a document. Raises ``Refusal``."""

    def see(self, kind: str, id: str) -> Doc:
        """The thing. Raises ``Refusal`` (404)."""
        doc = self.store.get(kind, id)
        if doc is None:
            raise Refusal(404, "not-found", f"There is no {kind.replace('_', ' ')} {id}.")
        return doc

    def make(self, kind: str, id: str, doc: Doc) -> tuple[int, Doc]:
        """Make it. Raises ``Refusal`` (409) when there is one already."""
        if self.store.get(kind, id) is not None:
            raise Refusal(409, "exists", f"There is a {kind.replace('_', ' ')} {id} already.")
        return 201, self.store.add(kind, id, doc)

    def take_away(self, kind: str, id: str, *still: str) -> tuple[int, Doc]:
        """Remove it. Raises ``Refusal``: 404 when it is gone, 409 while ``still`` names what hangs on it."""
        self.see(kind, id)
        if still:
            raise Refusal(409, "in-use", f"{kind.replace('_', ' ').capitalize()} {id} still has {', '.join(still)}.")
        self.store.remove(kind, id)
        return 204, {}


def text(body: Doc, name: str, check: Callable[[str], bool] = bool) -> str:
    """A field of text. Raises ``Refusal`` (422)."""
    value = body.get(name)
    if not isinstance(value, str) or not check(value):
        raise Refusal(422, "invalid", f"{name} is missing or makes no sense.")
    return value


def number(body: Doc, name: str, least: int, most: int) -> int:
    """A whole number within bounds. Raises ``Refusal`` (422)."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refusal(422, "out-of-range", f"{name} must be between {least} and {most}, and is {value!r}.")
    return value


def money(body: Doc, name: str = "amount") -> Decimal:
    """An amount of money, more than nothing. Raises ``Refusal`` (422)."""
    try:
        value = Decimal(str(body.get(name)))
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise Refusal(422, "invalid-amount", f"{name} must be more than nothing.")
    return value.quantize(Decimal("0.01"))


def version_of(spec: Any) -> str:
    """A fingerprint of the content: what is restored exactly has its old version again."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:10]


def nowhere(method: str, path: list[str]) -> Refusal:
    """There is no such address, or not for this method."""
    return Refusal(404, "not-found", f"There is no {method} /{'/'.join(path)} here.")
