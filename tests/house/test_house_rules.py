"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES, MOST_FUNCTION_LINES = 400, 50
# The engine's claim and settle count and lease by update(); state itself goes through move() there too.
WRITES_STATE = {"rollback/audit/services.py"}

pytestmark = pytest.mark.one_database


def tracked(*endings: str) -> list[Path]:
    """The files that belong to the project, by their ending."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name.endswith(endings) and (ROOT / name).exists()]


def python_files() -> list[Path]:
    return [path for path in tracked(".py") if "migrations" not in path.parts]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_one_can_hold_in_the_head() -> None:
    too_long = {named(path): n for path in python_files() if (n := len(path.read_text().splitlines())) > MOST_LINES}

    assert too_long == {}


def test_no_function_is_longer_than_one_can_see() -> None:
    too_long = [
        f"{named(path)}:{node.lineno} {node.name}"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES
    ]

    assert too_long == []


def test_nothing_but_move_writes_a_state() -> None:
    writers: list[str] = []
    for path in python_files():
        if named(path).startswith(("tests/", "examples/", "benchmarks/")) or named(path) in WRITES_STATE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _updates_state(node):
                writers.append(f"{named(path)}:{node.lineno}")
            if isinstance(node, ast.Assign) and _assigns_state(node) and not _is_not_stored_yet(path, node):
                writers.append(f"{named(path)}:{node.lineno}")

    assert writers == []


def _updates_state(node: ast.Call) -> bool:
    updates = isinstance(node.func, ast.Attribute) and node.func.attr == "update"
    return updates and any(keyword.arg == "state" for keyword in node.keywords)


def _assigns_state(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Attribute) and target.attr == "state" for target in node.targets)


def _is_not_stored_yet(path: Path, node: ast.Assign) -> bool:
    """A batch makes finished steps: they are born in their state, they do not move into it."""
    return path.name in ("batch.py", "batches.py")


def test_every_hx_attribute_sits_on_a_real_link_or_form() -> None:
    tag = re.compile(r"<(\w+)\b[^>]*?\shx-(?:get|post|put|delete)=[^>]*>", re.DOTALL)
    unreal = [
        f"{named(path)}: {match.group(0)[:80]}"
        for path in tracked(".html")
        for match in tag.finditer(path.read_text())
        if not re.search(r"\s(href|action)=", match.group(0))
    ]

    assert unreal == []


def test_no_page_brings_a_style_or_a_script_of_its_own() -> None:
    """The content security policy would block it."""
    own = re.compile(r"\sstyle=|<style|<script(?![^>]*\ssrc=)|\son[a-z]+=", re.IGNORECASE)
    found = [named(path) for path in tracked(".html") if own.search(path.read_text())]

    assert found == []


def test_lock_files_have_hashes_and_name_no_host() -> None:
    for path in tracked("requirements.txt", "requirements-dev.txt", "requirements-uv.txt"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"://|--index-url|--find-links", text), named(path)


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile("TO" + "DO|FIX" + "ME|NotImplemented" + "Error|pytest.mark.(skip|xfail)")
    found = [named(path) for path in tracked(".py", ".html", ".js", ".css") if marks.search(path.read_text())]

    assert found == []


def test_the_sample_of_settings_names_exactly_what_is_read() -> None:
    code = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code))
    sample = set(re.findall(r"^([A-Z_]+)=", (ROOT / "docs" / "settings.env").read_text(), re.MULTILINE))

    assert sample == read


def test_the_readmes_commands_are_there() -> None:
    made = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = set(re.findall(r"`?make (\w+)", (ROOT / "README.md").read_text())) - {"and"}

    assert said <= made | {"a"}


def test_the_published_schemas_are_those_of_the_models() -> None:
    from rollback.management.commands.json_schema import FOLDER, schemas

    stored = {path.name: path.read_text() for path in FOLDER.glob("*.json")}

    assert stored == schemas(), "run: manage.py json_schema"


def test_the_openapi_document_has_no_warning(tmp_path: Path) -> None:
    from django.core.management import call_command

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))

    assert (tmp_path / "schema.yml").stat().st_size > 10_000
