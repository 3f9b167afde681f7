"""One piece of work for an agent, and how its steps are taken."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

from examples.demo.agents.outside import Outside
from rollback.client import Effect, Run, Step

SYSTEMS = ("directory", "mail", "billing", "cluster")


@dataclass
class Job:
    """What one run is to do. Everything follows from ``number``; ``fail_at`` names the action that goes wrong.

    ``key`` names the run and, with a suffix, each of its steps: an agent that was stopped half-way takes up the
    same run again, and nothing is done or reported twice.
    """

    number: int
    key: str
    fail_at: str | None = None
    more: bool = False  # the agent's optional last step
    taken: Counter[str] = field(default_factory=Counter)

    def name_step(self, action: str) -> str:
        """A key for the next step with this action."""
        self.taken[action] += 1
        return f"{self.key}/{action}/{self.taken[action]}"


@dataclass
class Work:
    """A job under way: the run it is reported in, and the systems it touches."""

    run: Run
    job: Job
    outside: Mapping[str, Outside]

    def step(
        self,
        action: str,
        input: Mapping[str, Any],
        act: Callable[[Outside, str], dict[str, Any]],
        after: Sequence[Step] = (),
        tell: Callable[[dict[str, Any]], Mapping[str, Any]] = lambda output: {},
    ) -> tuple[Step, dict[str, Any]]:
        """Propose, act, report. ``act`` gets the system and an idempotency key; ``tell`` says what it changed."""
        key = self.job.name_step(action)
        outside = self.outside[action.split(".", maxsplit=1)[0]]
        with self.run.step(action, input=input, depends_on=after, idempotency_key=key) as step:
            output = act(outside, key)
            step.succeeded(output, **tell(output))
        return step, output


class Agent(ABC):
    """One kind of agent."""

    workflow: ClassVar[str]
    actions: ClassVar[tuple[str, ...]]
    has_more: ClassVar[bool] = False

    def jobs_fail_at(self, number: int) -> str | None:
        """Where the run with this number goes wrong in the demo, if it does."""
        return None

    def jobs_have_more(self, number: int) -> bool:
        """Whether the run with this number takes the optional last step in the demo."""
        return False

    @abstractmethod
    def goal(self, job: Job) -> str:
        """What the run is for, in words."""

    @abstractmethod
    def input(self, job: Job) -> dict[str, Any]:
        """What the run was started with."""

    @abstractmethod
    def work(self, work: Work) -> None:
        """Do it. Raises ``OutsideError`` when the world refuses."""

    def carry_out(self, run: Run, job: Job) -> None:
        """``work`` in ``run``, with connections to the world."""
        with ExitStack() as stack:
            outside = {system: stack.enter_context(Outside(system)) for system in SYSTEMS}
            self.work(Work(run, job, outside))


def changed(system: str, kind: str, ref: str, **more: Any) -> dict[str, Any]:
    """What a step tells about the one thing that it made or changed, which later runs may build upon."""
    return {"effects": [Effect(system, kind, ref, **more)], "produces": [f"{kind}:{ref}"]}
