"""Importing files: all or nothing, every error with file, line and field, versions that never change."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from rollback.audit.actors import RECOURSE
from rollback.audit.models import AuditEvent
from rollback.catalog.models import Action, Runbook, System, Workflow, WorkflowVersion
from rollback.catalog.parsing import Source
from rollback.catalog.services import Imported, activate_version, import_sources
from rollback.errors import Invalid
from rollback.ownership.models import Team, User
from tests.rollback.catalog.files import ALL, PEOPLE, RUNBOOK, SYSTEM, WORKFLOW

pytestmark = pytest.mark.django_db


def load(*files: tuple[str, str], dry_run: bool = False) -> list[Imported]:
    return import_sources([Source(name, text) for name, text in files], RECOURSE, dry_run=dry_run)


def errors_of(*files: tuple[str, str]) -> list[tuple[str, int | None, str]]:
    with pytest.raises(Invalid) as caught:
        load(*files)
    return [(error.pointer, error.line, error.message) for error in caught.value.errors]


def test_the_file_of_the_contract_is_imported_whole() -> None:
    load(*ALL)

    action = Action.objects.get(key="directory.create_user")
    assert action.version.workflow.active == action.version
    assert action.system.slug == "directory"
    assert action.undo_window is not None
    assert action.undo_window.days == 30
    assert action.compensation is not None
    assert action.compensation["request"]["path"] == "/users/${output.id}"
    assert action.approval == {"when": "input.admin == true", "from": ["system_owner"], "quorum": 1, "expires": "2h"}
    assert action.runbook == Runbook.objects.get(slug="remove-user-by-hand")
    assert User.objects.get(email="hr-lead@example.org").team == Team.objects.get(slug="people-ops")


def test_the_order_of_files_does_not_matter() -> None:
    load(*reversed(ALL))

    assert Workflow.objects.get().active is not None


def test_importing_the_same_again_changes_nothing() -> None:
    load(*ALL)

    again = load(*ALL)

    assert {item.outcome for item in again} == {"unchanged"}
    assert WorkflowVersion.objects.count() == 1


def test_a_change_makes_a_new_version_and_leaves_the_old_one_as_it_was() -> None:
    load(*ALL)
    old = WorkflowVersion.objects.get()
    stored = (old.document, list(old.actions.values()))

    [changed] = load(("workflow.yaml", WORKFLOW.replace("undo_window: 30d", "undo_window: 7d")))

    old.refresh_from_db()
    assert changed.outcome == "changed"
    assert [str(change) for change in changed.changes] == ["~ actions.directory.create_user.undo_window: 30d → 1w"]
    assert (old.document, list(old.actions.values())) == stored
    assert Workflow.objects.get().active == changed.version
    assert changed.version is not None
    assert changed.version.number == 2


def test_a_dry_run_shows_the_difference_and_keeps_nothing() -> None:
    load(*ALL)

    [shown] = load(("workflow.yaml", WORKFLOW.replace("risk: high", "risk: low")), dry_run=True)

    assert [str(change) for change in shown.changes] == ["~ risk: high → low"]
    assert WorkflowVersion.objects.count() == 1
    assert Workflow.objects.get().active.risk == "high"  # type: ignore[union-attr]


def test_a_runbook_that_changes_gets_a_new_version() -> None:
    load(*ALL)
    load(("runbook.yaml", RUNBOOK.replace("Open the console", "Open the admin console")))

    runbook = Runbook.objects.get()
    assert runbook.versions.count() == 2
    assert runbook.current is not None
    assert runbook.current.number == 2


@pytest.mark.parametrize(
    ("old", "new", "field", "line", "words"),
    [
        ("owner: hr-lead@example.org", "owner: gone@example.org", "owner", 5, "nobody with the address"),
        ("risk: high", "risk: huge", "risk", 8, "low"),
        ("    system: directory", "    system: dierctory", "actions/0/system", 16, "no system dierctory"),
        ("undo_window: 30d", "undo_window: 30 days", "actions/0/undo_window", 18, "number and a unit"),
        ("runbook: remove-user", "runbook: remove-usr", "actions/0/runbook", 41, "no runbook"),
        ('when: "input.admin == true"', 'when: "input.admin =="', "actions/0/approval/when", 20, "not a CEL"),
        ('when: "input.admin == true"', 'when: "output.id == 1"', "actions/0/approval/when", 20, "unknown name output"),
        ("reversibility: reversible", "reversibilty: reversible", "actions/0/reversibilty", 17, "not permitted"),
        ("attempts: 5", "attempts: 0", "actions/0/compensation/retry/attempts", 32, "greater than or equal to 1"),
    ],
)
def test_an_error_names_file_line_and_field(old: str, new: str, field: str, line: int, words: str) -> None:
    assert old in WORKFLOW

    found = errors_of(*ALL[:3], ("workflow.yaml", WORKFLOW.replace(old, new, 1)))

    assert (f"workflow.yaml#/{field}", line) in [(pointer, at) for pointer, at, _ in found]
    assert any(words in message for _, _, message in found)
    assert not Workflow.objects.exists()


def test_a_template_that_is_wrong_is_found_when_the_file_is_read() -> None:
    found = errors_of(("workflow.yaml", WORKFLOW.replace("/users/${output.id}", "/users/${outptu.id}")))

    assert any("unknown name outptu" in message for _, _, message in found)


def test_all_errors_of_all_files_are_told_at_once_and_nothing_is_imported() -> None:
    found = errors_of(
        ("people.yaml", PEOPLE),
        ("system.yaml", SYSTEM.replace("slug: directory", "slug: Not A Slug")),
        ("workflow.yaml", WORKFLOW.replace("risk: high", "risk: huge").replace("kind: http", "")),
    )

    assert {pointer.split("#")[0] for pointer, _, _ in found} == {"system.yaml", "workflow.yaml"}
    assert not Team.objects.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "not valid YAML"),
        ("- just\n- a list\n", "mapping"),
        ("kind: Sytem\n", "kind is one of"),
        ("apiVersion: recourse/v2\nkind: Team\nslug: a\nname: A\n", "recourse/v1"),
    ],
)
def test_what_is_no_file_of_ours_says_why(text: str, words: str) -> None:
    [(pointer, _, message)] = errors_of(("wrong.yaml", text))

    assert pointer.startswith("wrong.yaml")
    assert words in message


def test_the_same_thing_twice_is_refused() -> None:
    [(_, _, message)] = errors_of(*ALL, ("other.yaml", SYSTEM))

    assert "system.yaml" in message


def test_security_a_yaml_bomb_is_refused_before_it_grows() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10))

    [(_, _, message)] = errors_of(("bomb.yaml", f"l0: &l0 [lol]\n{levels}\n"))

    assert "alias" in message


def test_security_a_tag_makes_no_object() -> None:
    text = "apiVersion: recourse/v1\nkind: Team\nslug: !!python/object:os.system x\nname: a b\n"

    found = errors_of(("tag.yaml", text))

    assert found
    assert not Team.objects.exists()


def test_an_irreversible_action_cannot_have_a_compensation() -> None:
    text = WORKFLOW.replace("reversibility: reversible", "reversibility: irreversible")

    assert any("irreversible" in message for _, _, message in errors_of(*ALL[:3], ("workflow.yaml", text)))


@pytest.mark.parametrize("unowned", ["workflow", "system", "runbook"])
def test_invariant_11_nothing_is_activated_without_an_active_owner(unowned: str) -> None:
    load(*ALL)
    version = WorkflowVersion.objects.get()
    model = {"workflow": Workflow, "system": System, "runbook": Runbook}[unowned]
    leaver = User.objects.create_user("leaver@example.org", name="Lee Leaver", is_active=False)
    model.objects.update(owner=leaver)  # type: ignore[attr-defined]

    with pytest.raises(Invalid, match=f"{unowned} ") as caught:
        activate_version(version, RECOURSE)

    assert caught.value.code == "no-active-owner"
    assert [error.pointer.split("/")[1] for error in caught.value.errors] == [unowned]


def test_an_import_is_part_of_the_history() -> None:
    load(*ALL)

    kinds = set(AuditEvent.objects.filter(kind="workflow").values_list("type", flat=True))
    assert kinds == {"workflow.import", "workflow.activate"}


def test_the_command_lists_what_it_did(tmp_path: Path) -> None:
    for name, text in ALL:
        (tmp_path / name).write_text(text)
    out = io.StringIO()

    call_command("import", str(tmp_path), stdout=out)

    assert "new  Workflow onboard-employee" in out.getvalue()
    assert "6 documents, 0 unchanged." in out.getvalue()


def test_the_command_lists_every_error_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "workflow.yaml"
    path.write_text(WORKFLOW.replace("risk: high", "risk: huge"))
    errors = io.StringIO()

    with pytest.raises(CommandError):
        call_command("import", str(path), stderr=errors)

    assert f"{path}:8: risk:" in errors.getvalue()


def test_the_command_makes_a_token_that_is_stored_as_a_hash_only() -> None:
    load(*ALL)
    out = io.StringIO()

    call_command("agent_token", "my-agent", "--workflow", "onboard-employee", stdout=out)

    from rollback.ownership.models import AgentToken

    key = out.getvalue().strip()
    stored = AgentToken.objects.get(name="my-agent")
    assert AgentToken.objects.is_valid(key)
    assert key not in str(stored.__dict__)
    assert [workflow.slug for workflow in Workflow.objects.filter(agent_tokens=stored)] == ["onboard-employee"]
