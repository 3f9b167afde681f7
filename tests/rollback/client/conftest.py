"""A client, and the server that it talks to."""

import socket
from collections.abc import Iterator

import pytest

from rollback.client import Recourse
from rollback.client.transport import Backoff
from tests.rollback.client.contract import Contract, contract_server


@pytest.fixture
def contract() -> Iterator[Contract]:
    """The other side."""
    with contract_server() as running:
        yield running


@pytest.fixture
def recourse(contract: Contract) -> Iterator[Recourse]:
    """A client that is quick to try again and soon gives up."""
    quick = Backoff(first=0.01, max=0.05)
    with Recourse(contract.url, "the-token", retry_for=2, deliver_for=2, backoff=quick) as client:
        yield client


@pytest.fixture
def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
