"""The demo's outside world behaves as a real system would."""

import threading
from typing import Any

import httpx
import pytest

from examples.demo.world import settings
from examples.demo.world.server import World, state


class Ask:
    """Asks the world as a caller with the right tokens does."""

    def __init__(self, world: World) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{world.server_port}", timeout=10)

    def __call__(self, method: str, path: str, body: Any = None, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {settings.token(path.split('/')[1])}"}
        if key:
            headers["Idempotency-Key"] = key
        return self._http.request(method, path, json=body, headers=headers)


@pytest.fixture
def ask(world: World) -> Ask:
    """A caller."""
    return Ask(world)


ADA = {"name": "Ada Example", "email": "ada@example.org", "title": "Engineer"}


def test_without_its_token_a_system_answers_nothing(world: World) -> None:
    url = f"http://127.0.0.1:{world.server_port}/directory/users/u-0001"

    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Authorization": f"Bearer {settings.token('mail')}"}).status_code == 401


def test_what_was_deleted_is_not_found_any_more(ask: Ask) -> None:
    user = ask("POST", "/directory/users", ADA).json()

    assert ask("GET", f"/directory/users/{user['id']}").status_code == 200
    assert ask("DELETE", f"/directory/users/{user['id']}").status_code == 204
    assert ask("GET", f"/directory/users/{user['id']}").status_code == 404
    assert ask("DELETE", f"/directory/users/{user['id']}").status_code == 404


def test_the_same_key_is_answered_again_and_not_applied_again(ask: Ask, world: World) -> None:
    first = ask("POST", "/billing/refunds", {"charge": "ch-0001", "amount": "5.00", "reason": "Late"}, "key-1")
    again = ask("POST", "/billing/refunds", {"charge": "ch-0001", "amount": "5.00", "reason": "Late"}, "key-1")

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(world.store.find("refund")) == 1
    assert [row["repeats"] for row in world.store.applied()] == [1]


def test_one_key_cannot_be_used_for_two_acts(ask: Ask) -> None:
    ask("PUT", "/directory/groups/vpn/members/u-0001", {}, "key-1")

    assert ask("DELETE", "/directory/groups/vpn/members/u-0001", key="key-1").status_code == 422


def test_a_key_at_the_same_time_from_many_sides_acts_once(ask: Ask, world: World) -> None:
    body = {"charge": "ch-0001", "amount": "1.00", "reason": "Late"}
    callers = [threading.Thread(target=ask, args=("POST", "/billing/refunds", body, "key-1")) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(world.store.find("refund")) == 1


def test_order_matters_what_others_hang_on_cannot_be_removed(ask: Ask) -> None:
    user = ask("POST", "/directory/users", ADA).json()["id"]
    ask("PUT", f"/directory/groups/vpn/members/{user}", {})

    refused = ask("DELETE", f"/directory/users/{user}")

    assert (refused.status_code, refused.json()["error"]) == (409, "in-use")
    assert ask("DELETE", f"/directory/groups/vpn/members/{user}").status_code == 204
    assert ask("DELETE", f"/directory/users/{user}").status_code == 204


def test_a_reversed_refund_leaves_its_trace_and_the_balance_is_back(ask: Ask, world: World) -> None:
    before = ask("GET", "/billing/accounts/acc-01").json()["balance"]
    refund = ask("POST", "/billing/refunds", {"charge": "ch-0001", "amount": "5.00", "reason": "Late"}).json()
    between = ask("GET", "/billing/accounts/acc-01").json()["balance"]
    ask("POST", f"/billing/refunds/{refund['id']}/reversal")
    ask("POST", f"/billing/refunds/{refund['id']}/reversal")

    assert between != before
    assert ask("GET", "/billing/accounts/acc-01").json()["balance"] == before
    assert ask("GET", f"/billing/refunds/{refund['id']}").json()["status"] == "reversed"
    assert [entry["what"] for entry in world.store.find("entry", refund=refund["id"])] == ["refund", "reversal"]


def test_putting_back_the_previous_spec_restores_the_very_version(ask: Ask) -> None:
    before = ask("GET", "/cluster/deployments/search").json()
    changed = ask("PUT", "/cluster/deployments/search", {"image": "search:9", "replicas": 2}).json()
    restored = ask("PUT", "/cluster/deployments/search", changed["previous"]).json()

    assert changed["version"] != before["version"]
    assert {name: restored[name] for name in before} == before
    assert ask("GET", "/cluster/deployments/search").json() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/directory/users", {**ADA, "email": "marta.kowalczyk@example.org"}, 409, "email-taken"),
        ("PUT", "/directory/groups/contractors/members/u-0001", {}, 404, "not-found"),
        ("PUT", "/mail/mailboxes/a@example.com", {"owner": "u-0001"}, 422, "relay-denied"),
        ("DELETE", "/mail/messages/msg-1", None, 405, "sent"),
        ("POST", "/billing/refunds", {"charge": "ch-0007", "amount": 1, "reason": "x"}, 422, "account-closed"),
        ("POST", "/billing/refunds", {"charge": "ch-0001", "amount": 10**6, "reason": "x"}, 422, "too-much"),
        ("POST", "/billing/refunds", {"charge": "ch-0001", "amount": "NaN", "reason": "x"}, 422, "invalid-amount"),
        ("PUT", "/cluster/namespaces/dev", {"cpu": 512, "owner": "u-0001"}, 422, "quota-exceeded"),
        ("PUT", "/cluster/namespaces/platform/roles/u-0001", {"role": "root"}, 422, "unknown-role"),
        ("PUT", "/cluster/deployments/search", {"image": "s:1", "replicas": 18}, 422, "no-capacity"),
        ("PUT", "/cluster/flags/fast-search", {"enabled": True, "rollout": -5}, 422, "out-of-range"),
        ("POST", "/directory/nothing", {}, 404, "not-found"),
        ("POST", "/directory/users", ["not", "an", "object"], 422, "not-an-object"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    ask: Ask, world: World, method: str, path: str, body: Any, status: int, error: str
) -> None:
    before = state(world.store)

    answer = ask(method, path, body)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert state(world.store) == before


def test_faults_strike_as_often_as_asked_and_then_no_more(ask: Ask) -> None:
    ask("POST", "/mail/_faults", {"method": "GET", "path": "/mailboxes", "status": 503, "times": 2, "retry_after": 1})
    path = "/mail/mailboxes/marta.kowalczyk@example.org"

    answers = [ask("GET", path) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "1"


def test_a_fault_after_acting_loses_the_answer_and_not_the_act(ask: Ask, world: World) -> None:
    ask("POST", "/directory/_faults", {"method": "POST", "status": 502, "after_acting": True})

    assert ask("POST", "/directory/users", ADA, "key-1").status_code == 502
    assert ask("POST", "/directory/users", ADA, "key-1").status_code == 201
    assert len(world.store.find("user", email="ada@example.org")) == 1


def test_what_the_world_holds_survives_a_restart_and_is_seeded_once(world: World) -> None:
    from examples.demo.world.seed import seed

    before = state(world.store)
    seed(world.store)

    assert state(world.store) == before


def test_the_page_shows_before_and_after_and_escapes_what_comes_from_outside(ask: Ask, world: World) -> None:
    user = ask("POST", "/directory/users", {**ADA, "name": "<script>alert(1)</script>"}, "key-1").json()["id"]
    ask("DELETE", f"/directory/users/{user}", key="key-2")

    answer = httpx.get(f"http://127.0.0.1:{world.server_port}/")

    assert "<script>alert" not in answer.text
    assert "<s>&lt;script&gt;alert(1)&lt;/script&gt;</s>" in answer.text
    assert "as at the start, 1 made and taken back" in answer.text
    assert "key-2" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
