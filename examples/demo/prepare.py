"""``python -m examples.demo.prepare [FOLDER]``: the catalog's files with the address at which the world listens here.

The files in ``examples/catalog`` name the world's usual port; ``WORLD_PORT`` or ``WORLD_URL`` may say another.
"""

import os
import sys
from pathlib import Path

from examples.demo.world import settings

CATALOG = Path(__file__).parent.parent / "catalog"
WRITTEN_URL = f"http://127.0.0.1:{settings.DEFAULT_PORT}"


def render(folder: Path, url: str) -> list[Path]:
    """Write the catalog into ``folder`` with ``url`` as the world's address; answers the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(CATALOG.glob("*.yaml")):
        target = folder / source.name
        target.write_text(source.read_text(encoding="utf-8").replace(WRITTEN_URL, url), encoding="utf-8")
        written.append(target)
    return written


def main() -> int:
    """Render and print the folder."""
    default = Path(os.environ.get("DATA_DIR", "var")) / "demo" / "catalog"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    render(folder, settings.url())
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
