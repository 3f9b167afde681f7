"""The one hierarchy of errors that services raise.

::

    Refused
    ├── NotFound            404  there is no such thing, or not for this caller
    ├── NotPermitted        403  it is there, and this caller may not do that
    ├── Invalid             422  what was sent does not make sense; names the fields
    ├── Conflict            409  it made sense a moment ago; somebody was faster
    ├── LengthRequired      411  a body that does not say how long it is
    └── TooLarge            413  more than is taken in one request

The API turns them into RFC 9457 problem documents, pages into a message beside the field.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong: a JSON pointer to it, what is wrong, and the line where there is one."""

    pointer: str
    message: str
    line: int | None = None


@dataclass
class Refused(Exception):
    """A request that cannot be carried out, with a stable code and words for a person."""

    detail: str
    code: str = "refused"
    errors: list[FieldError] = field(default_factory=list)
    more: dict[str, object] = field(default_factory=dict)
    """Further members of the problem document, such as the verdict that an agent is to follow."""
    status = 400
    title = "Refused"

    def __str__(self) -> str:
        return self.detail


@dataclass
class NotFound(Refused):
    """There is no such thing, or none that this caller may know of."""

    code: str = "not-found"
    status = 404
    title = "Not found"


@dataclass
class NotPermitted(Refused):
    """The caller may see it and may not do that with it."""

    code: str = "not-permitted"
    status = 403
    title = "Not permitted"


@dataclass
class Invalid(Refused):
    """What was sent does not make sense; ``errors`` name the fields."""

    code: str = "invalid"
    status = 422
    title = "Invalid"


@dataclass
class Conflict(Refused):
    """The state it was meant for has passed: somebody or something was faster."""

    code: str = "conflict"
    status = 409
    title = "Conflict"


@dataclass
class LengthRequired(Refused):
    """A body that does not say how long it is."""

    code: str = "length-required"
    status = 411
    title = "Length required"


@dataclass
class TooLarge(Refused):
    """More than is taken in one request."""

    code: str = "too-large"
    status = 413
    title = "Too large"
