"""The HTTP executor over TLS: the address is pinned, and it is the name that has to be proved."""

import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from rollback.recovery.executors import deadline
from rollback.recovery.executors.contract import Outcome, Result
from tests.rollback.recovery.executors.calls import send
from tests.rollback.recovery.executors.wire import listening


@pytest.fixture(scope="module")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate of ``localhost`` alone, and who vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


@pytest.fixture
def server(localhost: Path) -> ssl.SSLContext:
    """What a server that has the certificate says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost / "server.pem")
    return context


@pytest.fixture
def trusted(localhost: Path) -> None:
    """From here on, this process trusts the certificate."""
    deadline._tls().load_verify_locations(localhost / "ca.pem")


@pytest.mark.usefixtures("trusted")
def test_the_name_is_proved_though_the_address_is_called(server: ssl.SSLContext) -> None:
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    with listening(tls=server) as wire:
        outcome = send(f"https://localhost:{wire.port}")

        assert (outcome.result, names) == (Result.SUCCEEDED, ["localhost"])
        assert wire.request.header("Host") == [f"localhost:{wire.port}"]


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(server: ssl.SSLContext) -> None:
    with listening(tls=server) as wire:
        outcome = send(wire.url)

        assert (outcome.result, wire.arrived) == (Result.TRANSIENT, [])
        assert "certificate verify failed" in outcome.detail.lower()


def test_the_deadline_is_for_the_handshake_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        outcome = send(f"https://localhost:{silent.getsockname()[1]}", 0.5)

    assert outcome == Outcome(Result.TRANSIENT, "No complete answer within 0.5 s.")
    assert time.monotonic() - began < 1
