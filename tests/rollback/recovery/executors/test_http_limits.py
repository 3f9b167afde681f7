"""The HTTP executor and a server that says too much, too slowly, or nothing at all."""

import gzip
import socket
import time

import pytest

from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.executors.http import MAX_RESPONSE_BYTES
from tests.rollback.recovery.executors.calls import answered, send
from tests.rollback.recovery.executors.wire import Wire, answering, listening


def test_an_answer_of_a_megabyte_is_taken() -> None:
    assert answered(answering(200, b"x" * MAX_RESPONSE_BYTES)).result is Result.SUCCEEDED


def test_an_answer_of_more_is_refused() -> None:
    outcome = answered(answering(200, b"x" * (MAX_RESPONSE_BYTES + 1)))

    assert outcome == Outcome(Result.PERMANENT, "The answer is larger than 1,000,000 bytes.")


def test_fifty_megabytes_are_not_read() -> None:
    with listening() as wire:
        wire.reply = lambda connection: _send_much(connection, wire, 50_000_000)
        outcome = send(wire.url)

        assert outcome.result is Result.PERMANENT
        assert wire.over.wait(5)
        assert wire.sent < 20_000_000  # what fits into the sockets' buffers, and no more


def _send_much(connection: socket.socket, wire: Wire, size: int) -> None:
    """Write until the other side hangs up."""
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    try:
        while wire.sent < size:
            wire.sent += connection.send(b"x" * 65_536)
    finally:
        wire.over.set()


def test_a_small_answer_that_unpacks_to_much_is_refused() -> None:
    packed = gzip.compress(b"x" * 20_000_000)
    outcome = answered(answering(200, packed, "Content-Encoding: gzip\r\n"))

    assert (len(packed) < 100_000, outcome.result) == (True, Result.PERMANENT)
    assert "larger than" in outcome.detail


def test_the_deadline_is_for_the_whole_answer_however_steadily_it_drips() -> None:
    assert_ends_at_the_deadline(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x")


def test_the_deadline_is_for_headers_too() -> None:
    assert_ends_at_the_deadline(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n")


def test_the_deadline_is_for_chunks_too() -> None:
    assert_ends_at_the_deadline(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")


def test_a_server_that_never_answers_is_waited_for_until_the_deadline() -> None:
    assert_ends_at_the_deadline(b"", b"")


def assert_ends_at_the_deadline(opening: bytes, drop: bytes, deadline: float = 0.6) -> None:
    with listening() as wire:

        def drip(connection: socket.socket) -> None:
            connection.sendall(opening)
            while not wire.over.wait(0.05):
                connection.sendall(drop)

        wire.reply = drip
        began = time.monotonic()
        outcome = send(wire.url, deadline)
        took = time.monotonic() - began

    assert outcome == Outcome(Result.TRANSIENT, "No complete answer within 0.6 s.")
    assert deadline - 0.05 <= took < deadline + 0.4


def test_a_server_that_takes_no_more_of_the_request_is_waited_for_until_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        began = time.monotonic()
        outcome = send(f"http://127.0.0.1:{deaf.getsockname()[1]}", 0.6, body="x" * 20_000_000)
        took = time.monotonic() - began

    assert (outcome.result, outcome.detail) == (Result.TRANSIENT, "No complete answer within 0.6 s.")
    assert took < 1.2


def test_a_refused_connection_may_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcome = send(f"http://127.0.0.1:{port}")

    assert (outcome.result, outcome.status) == (Result.TRANSIENT, None)
    assert "ConnectError" in outcome.detail


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"SSH-2.0-OpenSSH\r\n"])
def test_a_connection_that_breaks_off_may_pass(said: bytes) -> None:
    assert answered(lambda connection: connection.sendall(said)).result is Result.TRANSIENT


def test_a_name_that_is_not_found_may_pass() -> None:
    assert send("http://nobody.invalid").result is Result.TRANSIENT
