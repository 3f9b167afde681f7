"""The world over HTTP: ``/<system>/…`` for agents and undos, ``/`` for people, ``/_state`` for tests."""

import hmac
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from examples.demo.world import settings
from examples.demo.world.faults import Fault, Faults
from examples.demo.world.page import page
from examples.demo.world.store import Doc, Store
from examples.demo.world.systems import SYSTEMS
from examples.demo.world.systems.contract import Refusal

MAX_BODY = 1_000_000
HERE = Path(__file__).parent
FILES = {"/world.css": "text/css", "/world.js": "text/javascript"}
CSP = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'"


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    content: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class World(ThreadingHTTPServer):
    """The service; ``latency`` is in seconds and varies by half."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, store: Store, latency: float = 0.0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = store
        self.latency = latency
        self.faults = Faults()
        self.systems = {name: system(store) for name, system in SYSTEMS.items()}

    def ask(self, system: str, method: str, path: list[str], key: str, body: Doc) -> tuple[int, Doc, bool]:
        """Carry out one request: status, document, and whether it was only answered again.

        A write that comes a second time under its idempotency key is answered as before and not done again.
        """
        asked = f"{method} /{'/'.join(path)}"
        once = bool(key) and method != "GET"
        with self.store.transaction():
            known = self.store.answered(system, key) if once else None
            if known is not None:
                if known["asked"] != asked:
                    raise Refusal(422, "idempotency-mismatch", f"This key was used for {known['asked']}.")
                return known["status"], json.loads(known["answer"]), True
            status, answer = self.systems[system].handle(method, path, body)
            if once:
                self.store.keep(system, key, asked, status, answer)
        return status, answer, False


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: World
    timeout = 30

    def do_GET(self) -> None:
        """Pages, state, and reads of a system."""
        where = urlsplit(self.path).path
        if where == "/":
            headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store"}
            self._send(Answer(200, page(self.server.store).encode(), "text/html; charset=utf-8", headers))
        elif where in FILES:
            self._send(Answer(200, (HERE / where[1:]).read_bytes(), FILES[where]))
        elif where == "/_state":
            self._send(_json(200, state(self.server.store)))
        else:
            self._system()

    def do_POST(self) -> None:
        """A write."""
        self._system()

    do_PUT = do_DELETE = do_POST

    def _system(self) -> None:
        """A request to one of the systems, with everything that may happen to it."""
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        system, rest, key = path[0], path[1:], self.headers.get("Idempotency-Key", "")
        again = False
        try:
            body = self._body()
            self._check_token(system)
            if rest == ["_faults"]:
                self._send(self._faults(system, body))
                return
            time.sleep(self.server.latency * random.uniform(0.5, 1.5))
            fault = self.server.faults.strike(system, self.command, "/" + "/".join(rest))
            answer = self._struck(fault, system, rest, key, body) if fault else None
            if answer is None:
                status, document, again = self.server.ask(system, self.command, rest, key, body)
                answer = _json(status, document)
        except Refusal as refusal:
            answer = _json(refusal.status, {"error": refusal.code, "message": refusal.message})
        self.server.store.log(system, self.command, "/" + "/".join(rest), answer.status, key, again)
        self._send(answer)

    def _struck(self, fault: Fault, system: str, path: list[str], key: str, body: Doc) -> Answer | None:
        """What a fault answers instead; None: it only takes its time (``status`` 0)."""
        time.sleep(fault.delay)
        if fault.after_acting:
            self.server.ask(system, self.command, path, key, body)
        if not fault.status:
            return None
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return _json(fault.status, {"error": "fault", "message": "Something went wrong, on purpose."}, headers)

    def _faults(self, system: str, body: Doc) -> Answer:
        if self.command == "DELETE":
            self.server.faults.clear(system)
            return _json(204, {})
        self.server.faults.add(system, Fault.read(body))
        return _json(201, body)

    def _check_token(self, system: str) -> None:
        if system not in self.server.systems:
            raise Refusal(404, "not-found", f"There is no system {system}.")
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), settings.token(system).encode()):
            raise Refusal(401, "unauthorized", f"{system} wants its token.")

    def _body(self) -> Doc:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            raise Refusal(413, "too-large", f"A body has at most {MAX_BODY} bytes.")
        content = self.rfile.read(length)
        try:
            body = json.loads(content) if content else {}
        except ValueError as error:
            raise Refusal(400, "not-json", "The body is not JSON.") from error
        if not isinstance(body, dict):
            raise Refusal(422, "not-an-object", "The body must be an object.")
        return body

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        content = b"" if answer.status == 204 else answer.content
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """The page shows the requests; stderr stays quiet."""


def state(store: Store) -> dict[str, Any]:
    """Everything that is there now, by kind and id: what a test compares before and after."""
    kinds = sorted(store.counts())
    return {kind: {doc["id"]: doc for doc in store.find(kind)} for kind in kinds}


def _json(status: int, document: Doc, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(document).encode(), headers=headers or {})
