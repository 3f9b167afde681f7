"""Templates in workflow files: ``${expression}`` inside text, resolved once, when a step's result lands.

- Text that is exactly one ``${expression}`` becomes the value itself, with its type.
- ``${secret.NAME}`` stays a reference until the moment of sending.
- ``$${`` stands for a literal ``${``. What an agent reported is data: a ``${`` in it is written as ``$${`` and
  can never become a reference.
- Values put into a request's ``path`` are percent-encoded, so that no value reaches another path.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from rollback.catalog.cel import ExpressionError, compile_expression
from rollback.errors import FieldError, Invalid

REDACTED = "[redacted]"
_SECRET = re.compile(r"secret\.([A-Za-z_][A-Za-z0-9_]*)")
_REFERENCE = re.compile(r"\$\$\{|\$\{secret\.([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Text:
    """A literal piece of a template."""

    text: str


@dataclass(frozen=True)
class Slot:
    """An expression whose value goes here."""

    source: str


@dataclass(frozen=True)
class Secret:
    """A reference to a secret."""

    name: str


Piece = Text | Slot | Secret


@dataclass
class Resolved:
    """A value without templates, and what could not be resolved (then the value must not be used)."""

    value: Any
    problems: list[FieldError] = field(default_factory=list)


def parse(template: str) -> list[Piece]:
    """The pieces of ``template``. Raises ``Invalid`` for an open ``${``, a bad expression or a mixed-in secret."""
    return list(_pieces(template))


def _pieces(template: str) -> Iterator[Piece]:
    at = 0
    while (start := template.find("${", at)) >= 0:
        if start > 0 and template[start - 1] == "$":
            yield Text(template[at : start - 1] + "${")
            at = start + 2
            continue
        if start > at:
            yield Text(template[at:start])
        end = _end_of_expression(template, start + 2)
        yield _slot(template[start + 2 : end].strip())
        at = end + 1
    if at < len(template):
        yield Text(template[at:])


def _slot(source: str) -> Piece:
    if secret := _SECRET.fullmatch(source):
        return Secret(secret.group(1))
    if "secret" in compile_expression(source).variables:
        raise Invalid(f"${{{source}}}: a secret stands alone, as ${{secret.NAME}}", "invalid-template")
    return Slot(source)


def _end_of_expression(template: str, start: int) -> int:
    """The ``}`` that closes the expression: not one inside a CEL string or map."""
    depth, quoted, at = 0, "", start
    while at < len(template):
        character = template[at]
        if quoted:
            at += character == "\\"
            quoted = "" if character == quoted else quoted
        elif character in "\"'":
            quoted = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise Invalid(f"{template!r}: a ${{ is never closed", "invalid-template")


def strings(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text inside ``value`` with the JSON pointer to it; keys of objects are not templates."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from strings(inner, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, f"{pointer}/{index}")


def secret_names(value: Any) -> set[str]:
    """The secrets that ``value`` refers to."""
    found = (match.group(1) for _, text in strings(value) for match in _REFERENCE.finditer(text))
    return {name for name in found if name}


def resolve(value: Any, variables: Mapping[str, Any], pointer: str = "") -> Resolved:
    """``value`` with every template in it resolved over ``variables``; secrets stay references."""
    if isinstance(value, str):
        return _resolve_text(value, variables, pointer)
    if isinstance(value, Mapping):
        parts = {key: resolve(inner, variables, f"{pointer}/{key}") for key, inner in value.items()}
        problems = [problem for part in parts.values() for problem in part.problems]
        return Resolved({key: part.value for key, part in parts.items()}, problems)
    if isinstance(value, list):
        items = [resolve(inner, variables, f"{pointer}/{index}") for index, inner in enumerate(value)]
        return Resolved([item.value for item in items], [problem for item in items for problem in item.problems])
    return Resolved(value)


def resolve_path(template: str, variables: Mapping[str, Any], pointer: str = "") -> Resolved:
    """A request's path: values are percent-encoded, and none may be empty or a dot segment."""
    return _resolve_text(template, variables, pointer, _as_path_segment)


def _resolve_text(
    template: str, variables: Mapping[str, Any], pointer: str, encode: Callable[[Any], str] | None = None
) -> Resolved:
    try:
        pieces = parse(template)
        if len(pieces) == 1 and isinstance(pieces[0], Slot) and encode is None:
            return Resolved(_as_data(_value(pieces[0], variables)))
        return Resolved("".join(_written(piece, variables, encode or _as_text) for piece in pieces))
    except (ExpressionError, Invalid) as error:
        return Resolved(template, [FieldError(pointer, str(error))])


def _written(piece: Piece, variables: Mapping[str, Any], encode: Callable[[Any], str]) -> str:
    match piece:
        case Text(text):
            return text.replace("${", "$${")
        case Secret(name):
            return f"${{secret.{name}}}"
        case Slot():
            return encode(_value(piece, variables))


def _value(slot: Slot, variables: Mapping[str, Any]) -> Any:
    value = compile_expression(slot.source).evaluate(variables)
    if value is None:
        raise ExpressionError(f"{slot.source} is null")
    if _is_redacted(value):
        raise ExpressionError(f"{slot.source} is redacted: refer to a secret instead")
    return value


def _is_redacted(value: Any) -> bool:
    """Whether anything in ``value`` was made unreadable before it was stored."""
    if isinstance(value, Mapping):
        return any(map(_is_redacted, value.values()))
    if isinstance(value, list):
        return any(map(_is_redacted, value))
    return isinstance(value, str) and REDACTED in value


def _as_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise ExpressionError("an object or a list cannot be put into text")
    return _as_data("true" if value is True else "false" if value is False else str(value))  # type: ignore[no-any-return]


def _as_path_segment(value: Any) -> str:
    text = _as_text(value).replace("$${", "${")
    if text in ("", ".", ".."):
        raise ExpressionError(f"{text!r} cannot stand in a path")
    return quote(text, safe="")


def _as_data(value: Any) -> Any:
    """A reported value, with every ``${`` in it made harmless."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: _as_data(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_data(inner) for inner in value]
    return value


def render_secrets(value: Any, look_up: Callable[[str], str]) -> Any:
    """``value`` as it is sent: references replaced by ``look_up(name)``, and ``$${`` by ``${``."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: look_up(match.group(1)) if match.group(1) else "${", value)
    if isinstance(value, Mapping):
        return {key: render_secrets(inner, look_up) for key, inner in value.items()}
    if isinstance(value, list):
        return [render_secrets(inner, look_up) for inner in value]
    return value
