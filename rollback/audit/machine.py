"""State machines as data: which action leads from which states to which. No clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Move:
    """One row of a transition table: allowed from ``sources``, ends in ``target``."""

    sources: frozenset[StrEnum]
    target: StrEnum


def move_from(*sources: StrEnum, to: StrEnum) -> Move:
    """A row of a transition table."""
    return Move(frozenset(sources), to)


@dataclass(frozen=True)
class Machine:
    """A named transition table: action → move."""

    name: str
    start: StrEnum
    moves: Mapping[str, Move]

    @property
    def states(self) -> type[StrEnum]:
        """The enum of all states."""
        return type(self.start)

    def targets_of(self, state: StrEnum) -> frozenset[StrEnum]:
        """The states that one move leads to from ``state``."""
        return frozenset(move.target for move in self.moves.values() if state in move.sources)

    def is_final(self, state: StrEnum) -> bool:
        """Whether no move leads out of ``state``."""
        return not self.targets_of(state)

    def actions_from(self, state: StrEnum) -> frozenset[str]:
        """The actions that are legal in ``state``."""
        return frozenset(action for action, move in self.moves.items() if state in move.sources)

    def mermaid(self) -> str:
        """The table as a Mermaid state diagram, which the documentation shows."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start}"]
        for action, move in self.moves.items():
            lines += [f"    {source} --> {move.target}: {action}" for source in sorted(move.sources)]
        lines += [f"    {state} --> [*]" for state in self.states if self.is_final(state)]
        return "\n".join(lines)
