"""Lays out a run's steps by dependency, as coordinates for a picture. A function of its inputs alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP_X, GAP_Y, EDGE = 176, 44, 40, 14, 2
MOST_STEPS = 60


@dataclass(frozen=True)
class Node:
    """One step: its key, and the upper left corner of its box."""

    key: str
    x: int
    y: int

    @property
    def text_x(self) -> int:
        """Where its words begin."""
        return self.x + 10

    @property
    def title_y(self) -> int:
        """The base line of its name."""
        return self.y + 19

    @property
    def state_y(self) -> int:
        """The base line of its state."""
        return self.y + 35


@dataclass(frozen=True)
class Layout:
    """The picture: boxes, curves between them, and its size."""

    nodes: tuple[Node, ...]
    curves: tuple[str, ...]
    width: int
    height: int


def lay_out(steps: Sequence[str], builds_on: Mapping[str, Sequence[str]]) -> Layout:
    """Steps (in order) in columns: each to the right of all that it builds on."""
    column: dict[str, int] = {}
    for key in steps:
        column[key] = 1 + max((column[before] for before in builds_on.get(key, ()) if before in column), default=-1)
    filled: dict[int, int] = {}
    nodes: dict[str, Node] = {}
    for key in steps:
        row = filled.get(column[key], 0)
        filled[column[key]] = row + 1
        nodes[key] = Node(key, EDGE + column[key] * (WIDTH + GAP_X), EDGE + row * (HEIGHT + GAP_Y))
    curves = [
        _curve(nodes[before], nodes[key]) for key in steps for before in builds_on.get(key, ()) if before in nodes
    ]
    columns, rows = max(filled, default=0) + 1, max(filled.values(), default=0)
    width, height = columns * (WIDTH + GAP_X) - GAP_X, rows * (HEIGHT + GAP_Y) - GAP_Y
    return Layout(tuple(nodes.values()), tuple(curves), width + 2 * EDGE, height + 2 * EDGE)


def _curve(start: Node, end: Node) -> str:
    x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT // 2, end.x, end.y + HEIGHT // 2
    middle = x2 - GAP_X // 2
    return f"M{x1} {y1} H{middle - 8} C{middle} {y1} {middle - 8} {y2} {middle + 4} {y2} H{x2}"
