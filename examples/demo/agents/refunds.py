"""Refunds charges in batches: small ones at once, those over 500 after a person's yes."""

import sys
from decimal import Decimal
from typing import Any

from examples.demo.agents.job import Agent, Job, Work, changed
from examples.demo.agents.runner import main
from examples.demo.world.seed import CHARGES, CUSTOMERS
from rollback.client import Step

GROUPS = CHARGES // 6
REASONS = ["Delivered late", "Charged twice", "Cancelled in time", "Goodwill"]


def charges_of(job: Job) -> list[str]:
    """The charges of a batch: a few small ones, a big one with ``more``; one of the closed account where it fails."""
    first = (job.number - 1) % GROUPS * 6 + 1
    numbers = [number for number in range(first, first + 5) if number % len(CUSTOMERS)]
    if job.more:
        numbers.append(first + 5 if (first + 5) % len(CUSTOMERS) else first - 1)
    if job.fail_at == "billing.refund":
        numbers.append(len(CUSTOMERS) * (1 + job.number % 5))
    return [f"ch-{number:04d}" for number in numbers]


class Refunds(Agent):
    """Opens a batch, refunds its charges, closes it."""

    workflow = "refund-batch"
    actions = ("billing.open_batch", "billing.refund", "billing.close_batch")
    has_more = True

    def jobs_fail_at(self, number: int) -> str | None:
        """Every fourth meets the closed account, after it has paid out to others."""
        return "billing.refund" if number % 4 == 2 else None

    def jobs_have_more(self, number: int) -> bool:
        """Every third has a big one."""
        return number % 3 == 0

    def goal(self, job: Job) -> str:
        """In words."""
        return f"Refund {len(charges_of(job))} charges of batch {_batch(job)}"

    def input(self, job: Job) -> dict[str, Any]:
        """Which charges."""
        return {"batch": _batch(job), "charges": charges_of(job)}

    def work(self, work: Work) -> None:
        """The refunds do not build on each other, only on the batch."""
        job, batch = work.job, _batch(work.job)
        name = {"batch": batch, "name": "" if job.fail_at == "billing.open_batch" else f"Refunds of {batch}"}
        opened, _ = work.step(
            "billing.open_batch",
            name,
            lambda billing, key: billing.put(f"/batches/{batch}", key, name=name["name"]),
            tell=lambda made: changed("billing", "batch", made["id"]),
        )
        refunds = [_refund(work, opened, charge) for charge in charges_of(job)]
        closing = {"batch": f"{batch}-unknown" if job.fail_at == "billing.close_batch" else batch}
        work.step(
            "billing.close_batch",
            closing,
            lambda billing, key: billing.post(f"/batches/{closing['batch']}/close", key),
            refunds,
            lambda made: changed("billing", "batch", made["id"]),
        )


def _batch(job: Job) -> str:
    return f"batch-{job.number:03d}"


def _refund(work: Work, opened: Step, charge: str) -> Step:
    """Small ones by three tenths, so that a later batch can go over them again; big ones whole."""
    paid = Decimal(work.outside["billing"].get(f"/charges/{charge}")["amount"])
    amount = paid if paid > 500 else (paid * Decimal("0.3")).quantize(Decimal("0.01"))
    reason = REASONS[work.job.number % len(REASONS)]
    input = {"charge": charge, "amount": float(amount), "currency": "EUR", "reason": reason}
    step, _ = work.step(
        "billing.refund",
        input,
        lambda billing, key: billing.post("/refunds", key, charge=charge, amount=str(amount), reason=reason),
        [opened],
        lambda made: changed("billing", "refund", made["id"], amount=made["amount"], currency=made["currency"]),
    )
    return step


if __name__ == "__main__":
    sys.exit(main(Refunds()))
