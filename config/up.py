"""``python -m config.up``: everything that Recourse needs, under one supervisor, until Ctrl-C.

Starts a Redis of its own unless ``REDIS_URL`` is set, migrates, and runs web, worker and beat. With
``--extras FOLDER`` it also does what ``FOLDER/extras.toml`` says:

.. code-block:: toml

    import = ["examples/catalog"]        # YAML files and folders for ``manage.py import``
    sign_in = ["lead@example.org"]       # for whom to print a sign-in link (DEBUG only)

    [ports]                              # a port for each name, as an environment variable
    WORLD_PORT = 8123                    # the usual one; taken: another one

    [replace]                            # in imported files: text → text with variables
    "http://127.0.0.1:8123" = "http://127.0.0.1:${WORLD_PORT}"

    [env]                                # for every process; with variables
    RECOURSE_SECRET_BILLING_TOKEN = "…"

    [tokens]                             # agents' tokens, made once and kept in DATA_DIR/agents/
    onboarding = ["onboard-employee"]    # name = workflows

    [processes]                          # further processes; ``python`` is the one of .venv
    world = "python -m examples.demo.world"

    [show]                               # further lines to print once everything is up
    "The outside world" = "http://127.0.0.1:${WORLD_PORT}/"
"""

import argparse
import os
import sys
from pathlib import Path

from config import supervision
from config.extras import Extras

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Start everything, and stop all of it on Ctrl-C or when one process ends. 1 when one ended by itself."""
    options = _options()
    os.chdir(ROOT)
    try:
        port = supervision.own_port(os.environ.get("PORT", "8000"))
        redis = supervision.redis_command()
        extras = Extras.read(options.extras)
        _set_environment(port, extras)
        return _run(port, redis, extras)
    except supervision.CannotStart as error:
        print(error, file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.up", description="Run Recourse on this machine.")
    parser.add_argument("--extras", type=Path, help="a folder with an extras.toml, such as examples/demo")
    return parser.parse_args()


def _set_environment(port: int, extras: Extras) -> None:
    """What every process inherits. Set before Django reads its settings."""
    os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DATA_DIR", str(ROOT / "var"))
    os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    os.environ.setdefault("RECOURSE_URL", os.environ["PUBLIC_URL"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ.update(extras.environment())


def _run(port: int, redis: tuple[str, str] | None, extras: Extras) -> int:
    # Only now: Django reads the environment when it is imported.
    from config import preparation

    if redis is not None:
        os.environ["REDIS_URL"] = redis[0]
    links = preparation.prepare(extras)
    processes = {"redis": redis[1]} if redis else {}
    processes |= {
        "web": f"granian --interface wsgi config.wsgi:application --host 127.0.0.1 --port {port} --no-ws "
        "--blocking-threads 64 --backpressure 256 --workers-kill-timeout 2 --log-level warning",
        "worker": "celery --quiet -A config worker --pool threads --concurrency 4 --loglevel warning --without-mingle",
        "beat": "celery --quiet -A config beat --loglevel warning",
        **extras.processes,
    }
    lines = {"Recourse": os.environ["PUBLIC_URL"], **links, **extras.lines_to_show()}
    return supervision.supervise(processes, f"http://127.0.0.1:{port}/healthz", lines)


if __name__ == "__main__":
    sys.exit(main())
