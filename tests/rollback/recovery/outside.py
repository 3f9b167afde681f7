"""The outside world of the engine's tests: a real HTTP server that remembers what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    key: str
    headers: dict[str, str]
    body: bytes
    began: float
    ended: float


@dataclass
class Answer:
    """What to answer: a status, a body (JSON unless bytes), headers, after a while."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


@dataclass
class Outside:
    """A system that holds things by path. DELETE removes one; each idempotency key has its effect once."""

    url: str = ""
    things: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    applied: dict[str, str] = field(default_factory=dict)  # key → "METHOD path"
    scripted: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    always: dict[tuple[str, str], Answer] = field(default_factory=dict)
    latency: float = 0.0
    on_request: Callable[[str, str], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, method: str, path: str, *answers: Answer) -> None:
        """Answer the next requests to ``path`` like this, then as usual."""
        self.scripted[method, path] = list(answers)

    def calls(self, method: str, path: str | None = None) -> list[Asked]:
        """What was asked with ``method`` (of ``path``), in order of arrival."""
        return [a for a in self.asked if a.method == method and path in (None, a.path)]

    def answer(self, method: str, path: str, key: str) -> Answer:
        """Decide what to answer, and have the effect."""
        with self._lock:
            if waiting := self.scripted.get((method, path)):
                return waiting.pop(0)
            if (method, path) in self.always:
                return self.always[method, path]
            if method != "DELETE":
                return Answer(200 if path in self.things else 404)
            if key not in self.applied:
                self.applied[key] = f"{method} {path}"
                self.things.discard(path)
            return Answer(204)


def _handler(outside: Outside) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            began = time.monotonic()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            key = self.headers.get("Idempotency-Key", "")
            if outside.on_request:
                outside.on_request(self.command, self.path)
            answer = outside.answer(self.command, self.path, key)
            time.sleep(answer.after or outside.latency)
            asked = Asked(self.command, self.path, key, dict(self.headers), body, began, time.monotonic())
            outside.asked.append(asked)
            payload = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(0 if answer.status == 204 else len(payload)))
                self.end_headers()
                if answer.status != 204:
                    self.wfile.write(payload)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the caller's deadline was shorter than our answer

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            """Silence."""

    return Handler


@contextmanager
def outside_world() -> Iterator[Outside]:
    """An outside system on a free loopback port, for as long as the block lasts."""
    outside = Outside()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(outside))
    server.daemon_threads = True
    outside.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        server.server_close()
