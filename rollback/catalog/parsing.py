"""Reads YAML files into checked documents; every error names its file, line and field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from rollback.catalog.files import KINDS, AnyFile
from rollback.errors import FieldError, Invalid

MAX_BYTES = 1_000_000
MAX_ALIASES = 50
MAX_DEPTH = 30


@dataclass(frozen=True)
class Source:
    """A file's name (for messages) and its text."""

    name: str
    text: str


@dataclass(frozen=True)
class Parsed:
    """One document: where it stands, as it was written, and what it says."""

    source: str
    line: int
    raw: Any
    text: str
    file: AnyFile

    def error(self, field: str, message: str) -> FieldError:
        """An error at ``field`` (dotted) of this document."""
        return FieldError(f"{self.source}#/{field.replace('.', '/')}", message, _line_of(self.raw, field.split(".")))


def sources_in(paths: Sequence[Path]) -> list[Source]:
    """The YAML files at ``paths``: files as they are, folders with all below them. Raises ``Invalid``."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml"))
        elif path.is_file():
            found.append(path)
        else:
            raise Invalid(f"There is no file or folder {path}.", "no-such-file")
    return [Source(str(path), path.read_text(encoding="utf-8", errors="replace")) for path in found]


def parse_sources(sources: Sequence[Source]) -> list[Parsed]:
    """All documents of all files. Raises ``Invalid`` with every error of every file."""
    parsed: list[Parsed] = []
    errors: list[FieldError] = []
    for source in sources:
        for item in _documents(source):
            if isinstance(item, FieldError):
                errors.append(item)
            else:
                parsed.append(item)
    if errors:
        raise Invalid(f"{len(errors)} error(s) in the files. Nothing was imported.", "invalid-file", errors)
    return parsed


def _documents(source: Source) -> Iterator[Parsed | FieldError]:
    try:
        _check_bounds(source)
        yaml = YAML(typ="rt", pure=True)
        documents = list(yaml.load_all(source.text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        yield FieldError(source.name, f"not valid YAML: {error.problem or error.context}", line)
        return
    except (YAMLError, ValueError, RecursionError) as error:
        yield FieldError(source.name, f"not valid YAML: {error}")
        return
    except Invalid as error:
        yield FieldError(source.name, error.detail)
        return
    for raw in documents:
        if raw is not None:
            yield from _check(source, raw)


def _check_bounds(source: Source) -> None:
    """Refuse what would grow when it is loaded, before anything is built: aliases may not stand inside anchors."""
    if len(source.text.encode()) > MAX_BYTES:
        raise Invalid(f"the file is larger than {MAX_BYTES:,} bytes")
    aliases = 0
    anchored: list[bool] = []
    for event in YAML(typ="rt", pure=True).parse(source.text):
        if getattr(event, "tag", None):
            raise Invalid(f"the tag {event.tag} is not taken: values are plain text, numbers, lists and mappings")
        if isinstance(event, AliasEvent):
            aliases += 1
            if any(anchored):
                raise Invalid("an alias inside an anchor is not taken")
        elif isinstance(event, CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, CollectionEndEvent):
            anchored.pop()
        if aliases > MAX_ALIASES:
            raise Invalid(f"the file has more than {MAX_ALIASES} aliases")
        if len(anchored) > MAX_DEPTH:
            raise Invalid(f"the file is nested more than {MAX_DEPTH} deep")


def _check(source: Source, raw: Any) -> Iterator[Parsed | FieldError]:
    line = _line_of(raw, [])
    if not isinstance(raw, Mapping):
        yield FieldError(source.name, "a document is a mapping that starts with apiVersion and kind", line)
        return
    model = KINDS.get(str(raw.get("kind")))
    if model is None:
        message = f"kind is one of {', '.join(KINDS)}, not {raw.get('kind')!r}"
        yield FieldError(f"{source.name}#/kind", message, _line_of(raw, ["kind"]))
        return
    try:
        yield Parsed(source.name, line or 1, raw, source.text, model.model_validate(_plain(raw)))
    except ValidationError as error:
        for item in error.errors():
            where = [str(part) for part in item["loc"]]
            message = item["msg"].removeprefix("Value error, ")
            yield FieldError(f"{source.name}#/{'/'.join(where)}", message, _line_of(raw, where))


def _plain(value: Any) -> Any:
    """Ruamel's round-trip values as plain Python."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _line_of(raw: Any, where: Sequence[str]) -> int | None:
    """The line of the deepest part of ``where`` that is there; the document's own first line at least."""
    node = raw  # ruamel notes lines in `lc`, on a mapping and on a list alike
    line: int | None = node.lc.line + 1 if hasattr(node, "lc") else None
    for part in where:
        key: Any = int(part) if part.isdigit() else part
        try:
            is_mapping = isinstance(node, Mapping)
            position = node.lc.key(key) if is_mapping else node.lc.item(key)
            line = position[0] + 1
            node = node[key]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return line
