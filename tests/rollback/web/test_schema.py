"""The OpenAPI document is true: whatever it allows is answered as it says, and never with a 500."""

from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.wsgi import application
from tests.office import MAIL, Office, stored_step

CHECKS: list[Any] = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
OF_AGENTS = ("/steps/{id}", "/steps", "/steps/batch", "/heartbeat", "/finish", "/result")


def operations() -> list[Any]:
    """Every operation of the document."""
    document = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    schema = schemathesis.openapi.from_dict(document)
    schema.app = application
    found: list[Any] = list(schema.get_all_operations())
    return [result.ok() for result in found]


def call(case: Any, key: str) -> Any:
    """The answer to ``case``. As in Django's own test client, the request does not end the test's connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with transaction.atomic():
            response = case.call(headers={"Authorization": f"Bearer {key}"})
            transaction.set_rollback(True)
        return response
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def test_the_document_is_valid_and_nothing_in_it_is_guessed(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_no_request_that_the_document_allows_breaks_anything(operation: Any, office: Office) -> None:
    run = office.run()
    step = office.step(run)
    approval = stored_step(office.step(run, MAIL)).approvals.get()
    known = {"runs": run, "steps": step, "approvals": str(approval.pk), "workflows": "onboard"}
    is_agents = operation.path.endswith(OF_AGENTS) or operation.label == "POST /api/v1/runs"
    caller = office.agent if is_agents else office.person(office.admin)
    noun = operation.path.split("/")[3]

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), mine=st.booleans())
    def ask(case: Any, mine: bool) -> None:
        for name in case.path_parameters if mine and noun in known else ():
            case.path_parameters[name] = known[noun]
        case.validate_response(call(case, caller.key), checks=CHECKS)

    ask()
