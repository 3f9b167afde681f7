"""The example of ``docs/executors.md``, installed as another package would be, undoes a step by mail."""

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollback.recovery.executors import executors
from rollback.recovery.models import Rollback
from tests.acceptance.processes import ROOT
from tests.rollback.recovery.conftest import Scene, undo_of

Engine = Callable[[Rollback], Rollback]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The documented module and entry point, in a package on the path."""
    text = (ROOT / "docs" / "executors.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [(name, place)] = re.findall(r'^(\w+) = "([\w.:]+)"$', text, re.MULTILINE)
    package, module = place.split(":")[0].split(".")
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / f"{module}.py").write_text(code)
    meta = tmp_path / f"{package}-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(f"[recourse.executors]\n{name} = {place}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    executors.cache_clear()
    yield
    executors.cache_clear()
    for loaded in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[loaded]


@pytest.fixture
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """A server that takes one message; its port, and the lines that it got."""
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_take_a_message, args=(listening, lines), daemon=True).start()
        yield listening.getsockname()[1], lines


def _take_a_message(listening: socket.socket, lines: list[str]) -> None:
    connection, _ = listening.accept()
    with connection, connection.makefile("rw", newline="\r\n") as talk:

        def say(words: str) -> None:
            talk.write(f"{words}\r\n")
            talk.flush()

        say("220 here")
        in_message = False
        for line in talk:
            lines.append(line.strip())
            if in_message:
                in_message = line.strip() != "."
                if not in_message:
                    say("250 taken")
            elif line.lower().startswith("data"):
                in_message = True
                say("354 go on")
            else:
                say("221 bye" if line.lower().startswith("quit") else "250 ok")


@pytest.mark.usefixtures("installed")
def test_an_executor_of_another_package_is_found_and_carries_out(
    scene: Scene, engine: Engine, mail_server: tuple[int, list[str]]
) -> None:
    port, lines = mail_server
    scene.system.base_url = f"smtp://127.0.0.1:{port}"
    scene.system.save()
    request = {"to": "ada@example.org", "subject": "Please disregard", "text": "That was a mistake."}
    scene.did(undo=undo_of("", executor="mail", request=request))

    assert engine(scene.start()).state == "completed"

    assert "That was a mistake." in lines
    assert f"Message-ID: <{scene.compensation(1).key}@recourse>" in lines


def test_an_executor_that_is_not_there_is_said(scene: Scene, engine: Engine) -> None:
    scene.did(undo=undo_of("", executor="mail", request={}))

    assert engine(scene.start()).state == "needs_attention"
    assert scene.compensation(1).last_error == "There is no executor called mail."
