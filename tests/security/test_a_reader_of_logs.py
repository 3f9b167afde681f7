"""SECURITY.md: a reader of logs and of the database looks for what agents reported."""

import logging

import pytest
from django.db import connection

from tests.office import CREATE, Office

SECRET = "s3cret-s3cret-s3cret"


def test_a_reader_of_logs_finds_no_bodies_and_no_tokens(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        run = office.run(goal=SECRET)
        office.agent.post(f"/runs/{run}/steps", {"action": "no.such", "input": {"a": SECRET}})
        office.agent.send("POST", "/runs", f'{{"goal": "{SECRET}"'.encode(), {})

    written = "\n".join(
        str(record.msg) + record.getMessage() for record in caplog.records if record.name != "django.db.backends"
    )
    assert SECRET not in written
    assert office.agent.key.partition(".")[2] not in written


def test_a_reader_of_the_database_finds_no_value_of_a_configured_key(office: Office) -> None:
    run = office.run(input={"password": SECRET})
    step = office.step(run, CREATE, input={"api_key": SECRET})
    office.result(step, output={"id": "7", "nested": [{"Authorization": SECRET}]})
    done = {"action": CREATE, "status": "succeeded", "input": {"secret": SECRET}, "output": {"cookie": SECRET}}
    office.agent.post(f"/runs/{run}/steps/batch", {"steps": [done]}).ok()

    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert SECRET not in str(cursor.fetchall()), table
