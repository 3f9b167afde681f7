"""Changes what runs in the cluster: new images, more replicas, a flag turned up."""

import sys
from collections.abc import Sequence
from typing import Any

from examples.demo.agents.job import Agent, Job, Work, changed
from examples.demo.agents.outside import Outside
from examples.demo.agents.runner import main
from examples.demo.world.systems.cluster import MOST_REPLICAS
from rollback.client import Step

BUSY = ["checkout", "search", "notifications"]
# Runs that are to fail have deployments of their own, so that later runs do not change them meanwhile.
QUIET = ["invoices", "reports", "media"]
WRONG: dict[str, dict[str, Any]] = {
    "cluster.deploy": {"image": ""},
    "cluster.scale": {"replicas": MOST_REPLICAS + 2},
    "cluster.set_flag": {"rollout": -5},
}


def deployments_of(job: Job) -> tuple[str, str]:
    """The two deployments that a run changes."""
    names = QUIET if job.fail_at else BUSY
    return names[job.number % 3], names[(job.number + 1) % 3]


class ClusterChanges(Agent):
    """Deploys two things beside each other, scales the first, turns up a flag when all is there."""

    workflow = "change-cluster"
    actions = tuple(WRONG)

    def jobs_fail_at(self, number: int) -> str | None:
        """Every fifth asks for more replicas than there is room for, after it has deployed."""
        return "cluster.scale" if number % 5 == 2 else None

    def goal(self, job: Job) -> str:
        """In words."""
        return "Roll out {} and {}".format(*deployments_of(job))

    def input(self, job: Job) -> dict[str, Any]:
        """Which deployments."""
        return {"deployments": list(deployments_of(job))}

    def work(self, work: Work) -> None:
        """Two branches that meet at the flag."""
        first, second = deployments_of(work.job)
        deployed = [_deploy(work, first, last=False), _deploy(work, second, last=True)]
        scaled = _scale(work, first, [deployed[0]])
        _set_flag(work, [scaled, deployed[1]])


def _wrong(work: Work, action: str) -> dict[str, Any]:
    return WRONG[action] if work.job.fail_at == action else {}


def _deploy(work: Work, name: str, *, last: bool) -> Step:
    image = {"image": f"{name}:6.{work.job.number}.0"}
    return _change(work, "cluster.deploy", name, {**image, **(_wrong(work, "cluster.deploy") if last else {})})


def _scale(work: Work, name: str, after: Sequence[Step]) -> Step:
    replicas = {"replicas": 3 + work.job.number % 6, **_wrong(work, "cluster.scale")}
    return _change(work, "cluster.scale", name, replicas, after)


def _change(work: Work, action: str, name: str, change: dict[str, Any], after: Sequence[Step] = ()) -> Step:
    """Put the specification as it is, with ``change`` in it."""

    def act(cluster: Outside, key: str) -> dict[str, Any]:
        spec = cluster.get(f"/deployments/{name}")["spec"]
        return cluster.put(f"/deployments/{name}", key, **{**spec, **change})

    step, _ = work.step(action, {"name": name, **change}, act, after, _told("deployment", name))
    return step


def _set_flag(work: Work, after: Sequence[Step]) -> None:
    name = "new-checkout"
    setting = {"enabled": True, "rollout": 5 + work.job.number % 40, **_wrong(work, "cluster.set_flag")}
    work.step(
        "cluster.set_flag",
        {"name": name, **setting},
        lambda cluster, key: cluster.put(f"/flags/{name}", key, **setting),
        after,
        _told("flag", name),
    )


def _told(kind: str, name: str) -> Any:
    return lambda output: changed("cluster", kind, name)


if __name__ == "__main__":
    sys.exit(main(ClusterChanges()))
