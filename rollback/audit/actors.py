"""Who did something: a person, an agent with its token, or Recourse itself."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """The three kinds of actor."""

    PERSON = "person"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """Who did something, as it is written into the history: the name is kept as it was then."""

    kind: ActorKind
    id: str
    name: str


RECOURSE = Actor(ActorKind.SYSTEM, "recourse", "Recourse")
"""The engine and the sweeper, acting by themselves."""
