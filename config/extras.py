"""Reads ``extras.toml``: what is run beside Recourse. Its form is described in ``up.py``."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from config.supervision import CannotStart, free_port, is_free


@dataclass(frozen=True)
class Extras:
    """What the file says, with a port chosen for every name."""

    imports: list[str] = field(default_factory=list)
    sign_in: list[str] = field(default_factory=list)
    ports: dict[str, str] = field(default_factory=dict)
    replace: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, list[str]] = field(default_factory=dict)
    processes: dict[str, str] = field(default_factory=dict)
    show: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path | None) -> "Extras":
        """The extras in ``folder``; none without one. Raises ``CannotStart`` for a file that makes no sense."""
        if folder is None:
            return cls()
        path = folder / "extras.toml"
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise CannotStart(f"Cannot read {path}: {error}") from error
        said["imports"] = said.pop("import", [])
        said["ports"] = {name: _port(name, usual) for name, usual in said.get("ports", {}).items()}
        try:
            return cls(**said)
        except TypeError as error:
            raise CannotStart(f"{path}: {error}") from error

    def environment(self) -> dict[str, str]:
        """The variables for every process."""
        return {**self.ports, **{name: self.filled(value) for name, value in self.env.items()}}

    def filled(self, text: str) -> str:
        """``text`` with ``${NAME}`` replaced from the chosen ports and the environment."""
        return Template(text).safe_substitute({**os.environ, **self.ports})

    def replaced(self, text: str) -> str:
        """An imported file's text as this machine needs it."""
        for old, new in self.replace.items():
            text = text.replace(old, self.filled(new))
        return text

    def lines_to_show(self) -> dict[str, str]:
        """Further lines for the person who started it."""
        return {name: self.filled(value) for name, value in self.show.items()}


def _port(name: str, usual: int) -> str:
    """The port set in the environment, else the usual one, else a free one."""
    if chosen := os.environ.get(name):
        return chosen
    return str(usual if is_free(usual) else free_port())
