"""HTTP whose deadline is for the whole exchange.

``httpx`` counts its timeouts anew for every read, so a server that sends one byte now and then would be listened
to for ever. Here every wait of the connection ends at one moment.
"""

import ssl
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore
import httpx

_WRITTEN_AT_ONCE = 65_536


class DeadlineTransport(httpx.HTTPTransport):
    """One call's transport: nothing waits beyond ``ends`` (of ``time.monotonic``). No proxies, no HTTP/2."""

    def __init__(self, ends: float) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=_tls(), network_backend=_Backend(ends))


@cache
def _tls() -> ssl.SSLContext:
    """Reading all certificates takes longer than most calls: once is enough."""
    return httpx.create_ssl_context(trust_env=False)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, ends: float) -> None:
        self._ends = ends
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._ends, httpcore.ConnectTimeout)
        return _Stream(self._real.connect_tcp(host, port, left, local_address, socket_options), self._ends)


class _Stream(httpcore.NetworkStream):
    """A connection all of whose waits end at one moment, whatever is asked for each."""

    def __init__(self, real: httpcore.NetworkStream, ends: float) -> None:
        self._real = real
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._real.read(max_bytes, _left(self._ends, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITTEN_AT_ONCE):
            self._real.write(buffer[start : start + _WRITTEN_AT_ONCE], _left(self._ends, httpcore.WriteTimeout))

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._ends, httpcore.ConnectTimeout)
        return _Stream(self._real.start_tls(ssl_context, server_hostname, left), self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)


def _left(ends: float, too_late: type[httpcore.TimeoutException]) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise too_late("the deadline has passed")
    return left
