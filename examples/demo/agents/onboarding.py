"""Onboards new employees: twelve steps in four systems, and sometimes a welcome that cannot be unsent."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from examples.demo.agents.job import Agent, Job, Work, changed
from examples.demo.agents.runner import main
from rollback.client import Step

NAMES = [
    "Aiko Tanaka",
    "Olu Balogun",
    "Freya Nilsen",
    "Mateo Rossi",
    "Leila Farahani",
    "Samuel Osei",
    "Ana Petrova",
    "Arjun Mehta",
    "Chloe Dubois",
    "Yusuf Demir",
    "Tala Reyes",
    "Liam Byrne",
    "Zofia Nowak",
    "Emeka Eze",
    "Hana Suzuki",
]
TEAMS = ["engineering", "design", "sales"]
# What the world really refuses, by the action where the run is to go wrong.
WRONG: dict[str, dict[str, Any]] = {
    "directory.create_user": {"email": "marta.kowalczyk@example.org"},
    "directory.add_to_group": {"group": "contractors"},
    "directory.register_device": {"model": ""},
    "mail.create_mailbox": {"address": "new.hire@example.com"},
    "mail.add_alias": {"alias": "new.hire@example.com"},
    "mail.subscribe": {"list": "everybody"},
    "billing.create_cost_centre": {"code": "marketing"},
    "billing.open_budget": {"amount": 0},
    "cluster.create_namespace": {"cpu": 512},
    "cluster.grant_role": {"role": "cluster-owner"},
    "mail.send_welcome": {"to": "new.hire@example.com"},
}


@dataclass(frozen=True)
class Hire:
    """The person who starts."""

    name: str
    handle: str
    team: str

    @classmethod
    def of(cls, job: Job) -> "Hire":
        """The same person for the same number."""
        name = NAMES[(job.number - 1) % len(NAMES)]
        round_ = (job.number - 1) // len(NAMES)
        suffix = str(round_ + 1) if round_ else ""
        return cls(name, name.lower().replace(" ", ".") + suffix, TEAMS[job.number % len(TEAMS)])

    @property
    def email(self) -> str:
        """Their address at work."""
        return f"{self.handle}@example.org"


class Onboarding(Agent):
    """User, groups and device; mailbox, alias and list; cost centre and budget; namespace and role."""

    workflow = "onboard-employee"
    actions = tuple(WRONG)
    has_more = True

    def jobs_fail_at(self, number: int) -> str | None:
        """The second fails at its last step, later ones at the namespace's quota."""
        if number == 2:
            return "cluster.grant_role"
        return "cluster.create_namespace" if number % 5 == 0 else None

    def jobs_have_more(self, number: int) -> bool:
        """Every fourth sends the welcome, which waits for a yes."""
        return number % 4 == 3

    def goal(self, job: Job) -> str:
        """In words."""
        hire = Hire.of(job)
        return f"Onboard {hire.name} to {hire.team}"

    def input(self, job: Job) -> dict[str, Any]:
        """Who starts."""
        hire = Hire.of(job)
        return {"name": hire.name, "email": hire.email, "team": hire.team, "welcome": job.more}

    def work(self, work: Work) -> None:
        """The branches, and where they meet."""
        hire = Hire.of(work.job)
        user, id = _create_user(work, hire)
        groups = [_join(work, user, id, group, last=group == "vpn") for group in ("staff", hire.team, "vpn")]
        _register_device(work, user, id)
        mails = _mail(work, hire, user, id)
        budget = _budget(work, hire)
        role = _workspace(work, hire, id, [user, budget], groups)
        if work.job.more:
            _send_welcome(work, hire, [*mails, role])


def _input(work: Work, action: str, **right: Any) -> dict[str, Any]:
    """The input of a step; wrong where the run is to fail."""
    return {**right, **(WRONG[action] if work.job.fail_at == action else {})}


def _create_user(work: Work, hire: Hire) -> tuple[Step, str]:
    action = "directory.create_user"
    input = _input(work, action, name=hire.name, email=hire.email, title=f"New in {hire.team}", admin=False)
    step, output = work.step(
        action,
        input,
        lambda directory, key: directory.post("/users", key, **input),
        tell=lambda user: changed("directory", "user", user["id"]),
    )
    return step, str(output["id"])


def _join(work: Work, user: Step, id: str, group: str, *, last: bool) -> Step:
    action = "directory.add_to_group"
    input = _input(work, action, group=group, user=id) if last else {"group": group, "user": id}
    path = f"/groups/{input['group']}/members/{id}"
    step, _ = work.step(
        action,
        input,
        lambda directory, key: directory.put(path, key),
        [user],
        lambda made: changed("directory", "membership", made["id"]),
    )
    return step


def _register_device(work: Work, user: Step, id: str) -> None:
    action = "directory.register_device"
    input = _input(work, action, user=id, model="Laptop 14")
    work.step(
        action,
        input,
        lambda directory, key: directory.post("/devices", key, **input),
        [user],
        lambda made: changed("directory", "device", made["id"]),
    )


def _mail(work: Work, hire: Hire, user: Step, id: str) -> Sequence[Step]:
    """The mailbox, then alias and subscription beside each other."""
    box = _input(work, "mail.create_mailbox", address=hire.email, owner=id)
    mailbox, made = work.step(
        "mail.create_mailbox",
        box,
        lambda mail, key: mail.put(f"/mailboxes/{box['address']}", key, owner=id),
        [user],
        lambda made: changed("mail", "mailbox", made["id"]),
    )
    first, last = hire.handle.split(".")
    short = _input(work, "mail.add_alias", alias=f"{first[0]}.{last}@example.org", mailbox=made["id"])
    alias, _ = work.step(
        "mail.add_alias",
        short,
        lambda mail, key: mail.put(f"/aliases/{short['alias']}", key, mailbox=made["id"]),
        [mailbox],
        lambda made: changed("mail", "alias", made["id"]),
    )
    news = _input(work, "mail.subscribe", list="announcements", address=made["id"])
    subscription, _ = work.step(
        "mail.subscribe",
        news,
        lambda mail, key: mail.put(f"/lists/{news['list']}/subscribers/{made['id']}", key),
        [mailbox],
        lambda made: changed("mail", "subscription", made["id"]),
    )
    return [alias, subscription]


def _budget(work: Work, hire: Hire) -> Step:
    """A branch of its own: builds on nothing."""
    centre = _input(work, "billing.create_cost_centre", code=f"cc-{hire.handle}", name=f"Equipment for {hire.name}")
    made, _ = work.step(
        "billing.create_cost_centre",
        centre,
        lambda billing, key: billing.put(f"/cost-centres/{centre['code']}", key, name=centre["name"]),
        tell=lambda made: changed("billing", "cost_centre", made["id"]),
    )
    input = _input(work, "billing.open_budget", cost_centre=centre["code"], amount=1800, currency="EUR")
    budget, _ = work.step(
        "billing.open_budget",
        input,
        lambda billing, key: billing.post("/budgets", key, **input),
        [made],
        lambda made: changed("billing", "budget", made["id"], amount=made["amount"], currency=made["currency"]),
    )
    return budget


def _workspace(work: Work, hire: Hire, id: str, after: Sequence[Step], groups: Sequence[Step]) -> Step:
    """A namespace of their own, and the right to work in it."""
    space = _input(work, "cluster.create_namespace", name=f"dev-{hire.handle.replace('.', '-')}", cpu=4, owner=id)
    namespace, made = work.step(
        "cluster.create_namespace",
        space,
        lambda cluster, key: cluster.put(f"/namespaces/{space['name']}", key, cpu=space["cpu"], owner=id),
        after,
        lambda made: changed("cluster", "namespace", made["id"]),
    )
    right = _input(work, "cluster.grant_role", namespace=made["id"], user=id, role="edit")
    role, _ = work.step(
        "cluster.grant_role",
        right,
        lambda cluster, key: cluster.put(f"/namespaces/{made['id']}/roles/{id}", key, role=right["role"]),
        [namespace, *groups],
        lambda made: changed("cluster", "role", made["id"]),
    )
    return role


def _send_welcome(work: Work, hire: Hire, after: Sequence[Step]) -> None:
    words = f"Hello {hire.name.split()[0]}, everything is ready for your first day."
    input = _input(work, "mail.send_welcome", to=hire.email, subject="Welcome", body=words)
    work.step(
        "mail.send_welcome",
        input,
        lambda mail, key: mail.post("/messages", key, **input),
        after,
        lambda sent: changed("mail", "message", sent["id"]),
    )


if __name__ == "__main__":
    sys.exit(main(Onboarding()))
