"""Installs the functions of the engine's hot path, where the database can have them."""

from pathlib import Path

from django.db import migrations

SOURCE = Path(__file__).resolve().parents[1] / "recovery" / "hot.sql"
FUNCTIONS = (
    "recourse_finish_all",
    "recourse_finish",
    "recourse_advance",
    "recourse_claim",
    "recourse_lay",
    "recourse_state_in",
    "recourse_record",
)


def install(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(SOURCE.read_text(encoding="utf-8"), params=None)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in FUNCTIONS:
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [("rollback", "0002_history_is_append_only")]
    operations = [migrations.RunPython(install, remove)]
