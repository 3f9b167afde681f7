"""Events and checkpoints cannot be changed or deleted: a trigger says no in both databases."""

from django.db import migrations

TABLES = ["rollback_auditevent", "rollback_auditcheckpoint"]
WORDS = "the history is append-only"


def forbid(apps, schema_editor):
    for table in TABLES:
        for verb in ("UPDATE", "DELETE"):
            for statement in _forbid(schema_editor.connection.vendor, table, verb):
                schema_editor.execute(statement)


def _forbid(vendor, table, verb):
    name = f"{table}_no_{verb.lower()}"
    if vendor == "postgresql":
        return [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        ]
    return [f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"]


def allow(apps, schema_editor):
    for table in TABLES:
        for verb in ("UPDATE", "DELETE"):
            name = f"{table}_no_{verb.lower()}"
            if schema_editor.connection.vendor == "postgresql":
                schema_editor.execute(f"DROP TRIGGER {name} ON {table}")
                schema_editor.execute(f"DROP FUNCTION {name}()")
            else:
                schema_editor.execute(f"DROP TRIGGER {name}")


class Migration(migrations.Migration):
    dependencies = [("rollback", "0001_initial")]
    operations = [migrations.RunPython(forbid, allow)]
