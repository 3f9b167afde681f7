"""The example files: right in themselves, and fit for the agents that work by them."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from config.extras import Extras
from examples.demo.agents.cluster import ClusterChanges
from examples.demo.agents.job import Agent
from examples.demo.agents.onboarding import Onboarding
from examples.demo.agents.refunds import Refunds
from examples.demo.world.settings import token
from examples.demo.world.systems import SYSTEMS
from rollback.catalog.files import KINDS

CATALOG = Path("examples/catalog").absolute()
DEMO = CATALOG.parent / "demo"


def documents() -> list[dict[str, Any]]:
    return [document for path in sorted(CATALOG.glob("*.yaml")) for document in YAML(typ="safe").load_all(path)]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {str(d.get("slug", d.get("email"))): d for d in documents() if d["kind"] == kind}


def test_every_document_is_what_the_importer_takes() -> None:
    for document in documents():
        KINDS[document["kind"]].model_validate(document)


def test_everything_has_an_owner_and_another_person_as_backup_in_a_team() -> None:
    people, teams = of_kind("Person"), of_kind("Team")
    for document in documents():
        if document["kind"] in ("System", "Runbook", "Workflow"):
            assert document["owner"] in people
            assert document["backup"] in people
            assert document["owner"] != document["backup"]
            assert document["team"] in teams


def test_there_is_somebody_for_every_role() -> None:
    roles = {person["role"] for person in of_kind("Person").values()}

    assert roles == {"viewer", "owner", "incident_lead", "manager", "admin"}


def test_every_action_that_can_be_taken_back_says_how_it_is_checked_and_who_helps() -> None:
    runbooks, systems = of_kind("Runbook"), of_kind("System")
    for workflow in of_kind("Workflow").values():
        for action in workflow["actions"]:
            assert action["runbook"] in runbooks
            assert action["system"] in systems
            if action["reversibility"] != "irreversible":
                assert {"compensation", "drift_check", "verification", "rehearsal", "undo_window"} <= set(action)


@pytest.mark.parametrize("agent", [Onboarding(), Refunds(), ClusterChanges()])
def test_agents_take_the_actions_that_their_workflow_declares(agent: Agent) -> None:
    declared = {action["key"] for action in of_kind("Workflow")[agent.workflow]["actions"]}

    assert set(agent.actions) == declared


def test_a_world_on_another_port_is_named_in_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_PORT", "9999")
    extras = Extras.read(DEMO)

    texts = [extras.replaced(path.read_text()) for path in sorted(CATALOG.glob("*.yaml"))]

    assert not [text for text in texts if ":8123" in text]
    assert sum(text.count("http://127.0.0.1:9999/") for text in texts) == 4


def test_the_demos_agents_have_tokens_for_their_workflows_and_recourse_has_the_worlds_secrets() -> None:
    extras = Extras.read(DEMO)

    assert {slug for slugs in extras.tokens.values() for slug in slugs} == set(of_kind("Workflow"))
    assert set(extras.sign_in) <= set(of_kind("Person"))
    for name in SYSTEMS:
        assert extras.env[f"RECOURSE_SECRET_{name.upper()}_TOKEN"] == token(name)
