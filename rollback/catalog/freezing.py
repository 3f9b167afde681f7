"""Turns an action's compensation and checks into concrete requests, once, from what the step really did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rollback.catalog import files
from rollback.catalog.durations import parse_duration
from rollback.catalog.models import Action, System
from rollback.catalog.templates import Slot, parse, resolve, resolve_path, secret_names, strings
from rollback.errors import FieldError, Invalid

PARTS = ("compensation", "drift_check", "verification", "rehearsal")
_DURATIONS = frozenset({"timeout", "within", "first", "max"})


@dataclass(frozen=True)
class Frozen:
    """A step's undo without templates, in the shape that the engine carries out; None when it did not resolve."""

    undo: dict[str, Any] | None
    problems: list[FieldError] = field(default_factory=list)


def freeze(action: Action, variables: Mapping[str, Any]) -> Frozen:
    """The undo of a step of ``action``; ``variables`` are ``input``, ``output``, ``step`` and ``run``.

    One reference that cannot be resolved and there is no undo: half a request is never kept.
    """
    if not action.compensation:
        return Frozen(None)
    problems: list[FieldError] = []
    undo: dict[str, Any] = {}
    for name in PARTS:
        part = getattr(action, name)
        undo[name] = _freeze_part(part, variables, f"/{name}", problems) if part else None
    return Frozen(None if problems else undo, problems)


def _freeze_part(
    part: Mapping[str, Any], variables: Mapping[str, Any], pointer: str, problems: list[FieldError]
) -> dict[str, Any]:
    frozen = in_seconds(part)
    request = dict(part.get("request") or {})
    path = request.pop("path", None)
    rest = resolve(request, variables, f"{pointer}/request")
    problems += rest.problems
    frozen["request"] = rest.value
    if path is not None:
        resolved = resolve_path(path, variables, f"{pointer}/request/path")
        problems += resolved.problems
        frozen["request"] = {**rest.value, "path": resolved.value}
    return frozen


def in_seconds(part: Mapping[str, Any]) -> dict[str, Any]:
    """``part`` with its durations as seconds."""
    result: dict[str, Any] = {}
    for name, value in part.items():
        if isinstance(value, Mapping) and name == "retry":
            result[name] = in_seconds(value)
        elif name in _DURATIONS and isinstance(value, str):
            result[name] = parse_duration(value).total_seconds()
        else:
            result[name] = value.total_seconds() if isinstance(value, timedelta) else value
    return result


class _Undo(files.Compensation):
    """An undo that an agent brings: a compensation, and optionally how to check it."""

    model_config = ConfigDict(extra="forbid")
    drift_check: files.Look | None = None
    verification: files.Verification | None = None


def freeze_brought(undo: object, system: System) -> Frozen:
    """The undo that an agent wrote down itself. Raises ``Invalid`` naming each field that is wrong.

    It is concrete: no templates. A secret may be referred to only if a declared action of the same
    system refers to it, so that no agent gets hold of another system's.
    """
    try:
        brought = _Undo.model_validate(undo)
    except ValidationError as error:
        raise Invalid("The undo is not a compensation.", "invalid-undo", pydantic_errors(error, "/undo")) from error
    dumped = brought.model_dump(mode="json", exclude={"drift_check", "verification"})
    checks = {name: _dump(getattr(brought, name)) for name in ("drift_check", "verification")}
    _refuse_templates({"compensation": dumped, **checks})
    named = secret_names([dumped, checks])
    if named and (foreign := named - _secrets_of(system)):
        names = ", ".join(sorted(foreign))
        raise Invalid(f"The undo refers to secrets that no action of {system.slug} uses: {names}.", "foreign-secret")
    parts = {name: in_seconds(part) if part else None for name, part in checks.items()}
    return Frozen({"compensation": in_seconds(dumped), **parts, "rehearsal": None})


def _dump(part: BaseModel | None) -> dict[str, Any] | None:
    return part.model_dump(mode="json") if part else None


def _refuse_templates(value: object) -> None:
    for pointer, text in strings(value):
        if any(isinstance(piece, Slot) for piece in parse(text)):
            raise Invalid("An undo brought by an agent has no templates.", "invalid-undo", [FieldError(pointer, text)])


def _secrets_of(system: System) -> set[str]:
    rows = system.actions.filter(version__activated_at__isnull=False).values_list(*PARTS)
    return secret_names([list(row) for row in rows])


def pydantic_errors(error: ValidationError, prefix: str = "") -> list[FieldError]:
    """Pydantic's findings as ours, with JSON pointers."""
    return [
        FieldError(prefix + "".join(f"/{part}" for part in item["loc"]), item["msg"].removeprefix("Value error, "))
        for item in error.errors()
    ]
