"""JSON from outside, bounded in size and depth before anything is built from it."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from rollback.errors import Invalid, TooLarge

# A string, also one that never ends, or a bracket. Possessive, so that no input makes it go back and try again.
_STRING_OR_BRACKET = re.compile(rb'"(?>[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class BoundedJSONParser(BaseParser):
    """``application/json`` up to ``API_MAX_BODY_BYTES`` (413) and ``API_MAX_JSON_DEPTH`` levels (422)."""

    media_type = "application/json"
    max_bytes: int | None = None

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The parsed body. Raises ``ParseError`` (400) for what is not JSON."""
        limit = self.max_bytes or settings.API_MAX_BODY_BYTES
        try:
            body: bytes = stream.read(limit + 1)
        except UnreadablePostError as error:
            raise ParseError("The body ended before it was complete.", "malformed-body") from error
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit:,} bytes.", "body-too-large")
        if (depth := json_depth(body)) > settings.API_MAX_JSON_DEPTH:
            raise Invalid(f"The JSON is {depth} levels deep; {settings.API_MAX_JSON_DEPTH} are taken.", "body-too-deep")
        try:
            parsed = json.loads(body.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}", "malformed-body") from error
        return storable(parsed) if b"\\u" in body else parsed


class BatchJSONParser(BoundedJSONParser):
    """The same for batches, which carry up to 1,000 steps."""

    max_bytes = 10_000_000


def json_depth(body: bytes) -> int:
    """How many levels of objects and lists are open at once in ``body``, at most, without parsing it."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


def storable(value: Any) -> Any:
    """``value`` without what no database takes as text: NUL and lone surrogates become the replacement character."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    return [storable(inner) for inner in value] if isinstance(value, list) else value


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
