"""Events and checkpoints cannot be changed or deleted: a trigger says no in both databases."""

from django.db import migrations

VERBS = {
    "postgresql": {"UPDATE": "ROW", "DELETE": "ROW", "TRUNCATE": "STATEMENT"},
    "sqlite": {"UPDATE": "ROW", "DELETE": "ROW"},  # it has no TRUNCATE
}
TABLES = ["rollback_auditevent", "rollback_auditcheckpoint"]
WORDS = "the history is append-only"


def forbid(apps, schema_editor):
    for table in TABLES:
        for verb, each in VERBS[schema_editor.connection.vendor].items():
            for statement in _forbid(schema_editor.connection.vendor, table, verb, each):
                schema_editor.execute(statement)


def _forbid(vendor, table, verb, each):
    name = f"{table}_no_{verb.lower()}"
    if vendor == "postgresql":
        return [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()",
        ]
    return [f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"]


def allow(apps, schema_editor):
    for table in TABLES:
        for verb in VERBS[schema_editor.connection.vendor]:
            name = f"{table}_no_{verb.lower()}"
            if schema_editor.connection.vendor == "postgresql":
                schema_editor.execute(f"DROP TRIGGER {name} ON {table}")
                schema_editor.execute(f"DROP FUNCTION {name}()")
            else:
                schema_editor.execute(f"DROP TRIGGER {name}")


class Migration(migrations.Migration):
    dependencies = [("rollback", "0001_initial")]
    operations = [migrations.RunPython(forbid, allow)]
