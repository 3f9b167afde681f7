"""The other end of one call, at the level of bytes: what really arrives, and answers that no server library gives."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Reply = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Arrived:
    """A request as it came over the wire; ``headers`` keeps doubles."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        """All values that were sent for ``name``."""
        return [value for other, value in self.headers if other.lower() == name.lower()]


@dataclass
class Wire:
    """A listening socket; ``reply`` writes to each connection whose request has come in whole."""

    port: int
    reply: Reply
    tls: ssl.SSLContext | None = None
    arrived: list[Arrived] = field(default_factory=list)
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def request(self) -> Arrived:
        """The only request."""
        [one] = self.arrived
        return one


def answering(status: int = 200, body: bytes = b"{}", headers: str = "") -> Reply:
    """A well-formed answer; ``headers`` are further lines, each with its line end."""
    head = f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lambda connection: connection.sendall(head.encode("latin-1") + body)


@contextmanager
def listening(reply: Reply | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """A server on a free loopback port that replies to every connection in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire(server.getsockname()[1], reply or answering(), tls)
        accepting = threading.Thread(target=_accept, args=(server, wire), daemon=True)
        accepting.start()
        try:
            yield wire
        finally:
            wire.over.set()
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(5)


def _accept(server: socket.socket, wire: Wire) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, wire), daemon=True).start()


def _serve(connection: socket.socket, wire: Wire) -> None:
    with connection, suppress(OSError):
        if wire.tls:
            connection = wire.tls.wrap_socket(connection, server_side=True)
        if request := _read(connection):
            wire.arrived.append(request)
            wire.reply(connection)


def _read(connection: socket.socket) -> Arrived | None:
    read = b""
    while b"\r\n\r\n" not in read:
        if not (more := connection.recv(65_536)):
            return None
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (text.partition(":") for text in lines)]
    length = next((int(value) for name, value in pairs if name.lower() == "content-length"), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return Arrived(line, pairs, body)
