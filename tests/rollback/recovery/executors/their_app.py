"""A Celery app of somebody else's, with tasks that undo things. Its worker is started by the tests."""

import os
import time
from typing import Any

from celery import Celery
from redis import Redis

app = Celery("theirs", broker=os.environ["THEIR_REDIS"], backend=os.environ["THEIR_REDIS"])
app.conf.broker_connection_retry_on_startup = True


def done() -> Redis:
    """Where the tasks write down what they did: a list of their ids."""
    return Redis.from_url(os.environ["THEIR_REDIS"])


@app.task(name="ledger.void", bind=True)
def void(self: Any, entry: str, after: float = 0.0) -> dict[str, str]:
    """Voids an entry, after a while."""
    time.sleep(after)
    done().rpush("voided", f"{self.request.id} {entry}")
    return {"voided": entry}


@app.task(name="ledger.refuse")
def refuse() -> None:
    """Never works."""
    raise ValueError("the period is closed")
