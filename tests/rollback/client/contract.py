"""The other side of the client's tests: a real HTTP server that keeps to API.md, with a few things to go wrong."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

Answered = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    key: str
    token: str
    body: Any


@dataclass
class Trouble:
    """What happens to the next request whose path ends in ``path``, instead of or beside what should."""

    path: str
    status: int | None = None  # None: the connection is cut
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    after_acting: bool = False  # the write happens, its answer is lost


@dataclass
class Contract:
    """The state of the other side: runs by id, steps by id, everything that was asked."""

    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Answered] = field(default_factory=dict)  # by idempotency key
    troubles: list[Trouble] = field(default_factory=list)
    ask_for: set[str] = field(default_factory=set)  # actions that need a yes
    undo: dict[str, Any] = field(default_factory=lambda: {"state": "resolved", "problems": [], "expires_at": None})
    changed: threading.Condition = field(default_factory=threading.Condition)

    def writes(self, ending: str) -> list[Asked]:
        """What was posted to paths that end like this, in order."""
        return [a for a in self.asked if a.method == "POST" and a.path.endswith(ending)]

    def halt(self) -> None:
        """Somebody stops every run."""
        with self.changed:
            for run in self.runs.values():
                run["status"] = "halted"
            self.changed.notify_all()

    def decide(self, status: str) -> None:
        """A person decides about every step that waits: ``cleared``, ``refused`` or ``expired``."""
        with self.changed:
            for step in self.steps.values():
                if step["status"] == "awaiting_approval":
                    step["status"] = status
            self.changed.notify_all()

    def wait_until_asked(self, ending: str, method: str = "GET") -> None:
        """Return once a request to a path that ends like this has arrived."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: any((a.method, a.path.endswith(ending)) == (method, True) for a in self.asked), 5
            )

    def act(self, asked: Asked) -> Answered:
        """Do what the contract says about one request."""
        with self.changed:
            self.asked.append(asked)
            self.changed.notify_all()
            if asked.key and asked.key in self.answers:
                return self.answers[asked.key]
            answer = self._route(asked)
            if asked.key:
                self.answers[asked.key] = answer
            return answer

    def _route(self, asked: Asked) -> Answered:
        match [asked.method, *asked.path.removeprefix("/api/v1/").split("/")]:
            case ["POST", "runs"]:
                return self._open(asked.body)
            case ["POST", "runs", run, "steps"]:
                return self._propose(self.runs[run], asked.body)
            case ["POST", "runs", run, "steps", "batch"]:
                return self._batch(self.runs[run], asked.body["steps"])
            case ["POST", "runs", run, "heartbeat"]:
                return 200, {"verdict": self._verdict(self.runs[run])}
            case ["POST", "runs", run, "finish"]:
                return self._finish(self.runs[run], asked.body)
            case ["POST", "steps", step, "result"]:
                self.steps[step] |= {"status": asked.body["status"], "result": asked.body}
                return 200, {"undo": self.undo, "verdict": self._verdict(self.steps[step]["run"])}
            case ["GET", "steps", step]:
                found = self.steps[step]
                wait = float(asked.query.get("wait", ["0"])[0])
                self.changed.wait_for(lambda: self._step(found)["verdict"] != "wait", wait)
                return 200, self._step(found)
        return problem(404, "not-found", "There is no such thing.")

    def _open(self, body: dict[str, Any]) -> Answered:
        known = next((r for r in self.runs.values() if body.get("key") and r["body"].get("key") == body["key"]), None)
        run: dict[str, Any] = known or {
            "id": str(uuid4()),
            "workflow": body["workflow"],
            "version": 1,
            "status": "running",
            "body": body,
        }
        self.runs[run["id"]] = run
        shown = {name: run[name] for name in ("id", "workflow", "version", "status")}
        return 201, {**shown, "verdict": self._verdict(run)}

    def _propose(self, run: dict[str, Any], body: dict[str, Any]) -> Answered:
        if run["status"] != "running":
            return problem(409, "run-not-running", f"This run is {run['status']}.", verdict="halt")
        status = "awaiting_approval" if body["action"] in self.ask_for else "cleared"
        step: dict[str, Any] = {"id": str(uuid4()), "run": run, "status": status, "body": body}
        self.steps[step["id"]] = step
        return 201, self._step(step)

    def _batch(self, run: dict[str, Any], items: list[dict[str, Any]]) -> Answered:
        answers: list[dict[str, Any]] = []
        for item in items:
            if item["action"] == "unknown":
                answers.append({"error": problem(422, "unknown-action", "There is no such action.")[1]})
                continue
            step = {"id": str(uuid4()), "run": run, "status": item["status"], "body": item}
            self.steps[step["id"]] = step
            answers.append({"id": step["id"], "undo": self.undo, "verdict": "go"})
        return 200, {"steps": answers}

    def _finish(self, run: dict[str, Any], body: dict[str, Any]) -> Answered:
        if run["status"] != "running":
            return problem(409, "run-not-running", f"This run is {run['status']} already.", verdict="halt")
        run |= {"status": body["status"], "error": body.get("error")}
        return 200, {"id": run["id"], "status": run["status"], "verdict": "halt"}

    def _verdict(self, run: dict[str, Any]) -> str:
        return "go" if run["status"] == "running" else "halt"

    def _step(self, step: dict[str, Any]) -> dict[str, Any]:
        verdicts = {"awaiting_approval": "wait", "refused": "halt", "expired": "halt"}
        verdict = "halt" if self._verdict(step["run"]) == "halt" else verdicts.get(step["status"], "go")
        approval = {"id": str(uuid4()), "url": f"{self.url}/approvals/1/", "expires_at": "2026-11-24T12:00:00Z"}
        asked = {"approval": approval} if step["body"]["action"] in self.ask_for else {}
        return {"id": step["id"], "status": step["status"], "verdict": verdict, **asked}


def problem(status: int, code: str, detail: str, **more: Any) -> Answered:
    """A problem document with its status."""
    return status, {"type": f"urn:{code}", "title": code, "status": status, "detail": detail, "code": code, **more}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    contract: Contract

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        parsed = json.loads(body) if body else None
        key = self.headers.get("Idempotency-Key", "")
        asked = Asked(self.command, where.path, parse_qs(where.query), key, token, parsed)
        trouble = next((t for t in self.contract.troubles if where.path.endswith(t.path)), None)
        if trouble is not None:
            self.contract.troubles.remove(trouble)
            if trouble.after_acting:
                self.contract.act(asked)
            else:
                self.contract.asked.append(asked)
            if trouble.status is None:
                self.close_connection = True
                return
            self._send(trouble.status, trouble.body, trouble.headers)
            return
        status, answer = self.contract.act(asked)
        self._send(status, answer, {})

    def _send(self, status: int, answer: dict[str, Any] | None, headers: dict[str, str]) -> None:
        content = b"<html>" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


@contextmanager
def contract_server() -> Iterator[Contract]:
    """A running server on a free port."""
    contract = Contract()
    handler = type("Handler", (_Handler,), {"contract": contract})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    contract.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield contract
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
