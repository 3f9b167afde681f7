"""``manage.py json_schema``: the JSON Schemas of the files that people write, in ``docs/schema/``."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from rollback.catalog.files import KINDS

FOLDER = Path(settings.BASE_DIR) / "docs" / "schema"


def schemas() -> dict[str, str]:
    """Per file name, the JSON Schema (draft 2020-12) as text."""
    return {
        f"{kind.lower()}.json": json.dumps(model.model_json_schema(by_alias=True), indent=2) + "\n"
        for kind, model in KINDS.items()
    }


class Command(BaseCommand):
    """Writes them."""

    help = "Write docs/schema/ from the models of the files."

    def handle(self, *args: Any, **options: Any) -> None:
        """Overwrite what is there."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, text in schemas().items():
            (FOLDER / name).write_text(text)
        self.stdout.write(f"{FOLDER.relative_to(settings.BASE_DIR)} written.")
