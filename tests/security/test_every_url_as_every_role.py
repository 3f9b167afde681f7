"""SECURITY.md: an owner of A opens, decides, exports B by changing an id. Every address as every role, as one table.

Whatever is sent is valid, so what keeps somebody out is who they are. A refusal changes nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import models, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from incidents.response.models import Incident
from incidents.response.services import open_for_run
from rollback.approvals.models import Approval
from rollback.audit.models import AuditEvent
from rollback.ownership.models import Role, Team, User
from rollback.recovery import store
from rollback.recovery.models import Compensation, Rollback
from rollback.recovery.preview import preview
from rollback.recovery.services import pause_rollback, start_rollback
from rollback.runs.models import Run
from tests.factories import make_person, make_runbook
from tests.office import MAIL, REFUND, Office, open_office, stored_run

# nobody: not signed in · owner: of the workflow · asked: owns a system of it · other: owns another workflow ·
# agent: with a token for the workflow · alien: an agent with a token for another
# (agents send their token, to pages as well: a page does not know it, and asks to sign in)
ROLES = ("nobody", "owner", "asked", "other", "lead", "manager", "admin", "viewer", "agent", "alien")
TABLE = """
GET  api-acknowledge      401 405 405 405 405 405 405 405 403 403
POST api-acknowledge      401 403 403 404 200 403 200 403 403 403
GET  api-approvals        401 200 200 200 200 200 200 200 403 403
POST api-approvals        401 405 405 405 405 405 405 405 403 403
GET  api-batch            401 403 403 403 403 403 403 403 405 405
POST api-batch            401 403 403 403 403 403 403 403 200 404
GET  api-cancel           401 405 405 405 405 405 405 405 403 403
POST api-cancel           401 403 403 404 200 403 200 403 403 403
GET  api-decide           401 405 405 405 405 405 405 405 403 403
POST api-decide           401 403 200 404 403 403 403 403 403 403
GET  api-docs             200 200 200 200 200 200 200 200 200 200
POST api-docs             405 405 405 405 405 405 405 405 405 405
GET  api-done             401 405 405 405 405 405 405 405 403 403
POST api-done             401 403 403 404 200 403 200 403 403 403
GET  api-finish           401 403 403 403 403 403 403 403 405 405
POST api-finish           401 403 403 403 403 403 403 403 200 404
GET  api-heartbeat        401 403 403 403 403 403 403 403 405 405
POST api-heartbeat        401 403 403 403 403 403 403 403 200 404
GET  api-incidents        401 200 200 200 200 200 200 200 403 403
POST api-incidents        401 201 201 404 201 201 201 403 403 403
GET  api-json-schema      200 200 200 200 200 200 200 200 200 200
POST api-json-schema      405 405 405 405 405 405 405 405 405 405
GET  api-pause            401 405 405 405 405 405 405 405 403 403
POST api-pause            401 403 403 404 200 403 200 403 403 403
GET  api-preview          401 405 405 405 405 405 405 405 403 403
POST api-preview          401 200 403 404 200 200 200 403 403 403
GET  api-result           401 403 403 403 403 403 403 403 405 405
POST api-result           401 403 403 403 403 403 403 403 200 404
GET  api-resume           401 405 405 405 405 405 405 405 403 403
POST api-resume           401 403 403 404 200 403 200 403 403 403
GET  api-retry            401 405 405 405 405 405 405 405 403 403
POST api-retry            401 403 403 404 200 403 200 403 403 403
GET  api-rollback         401 200 200 404 200 200 200 200 403 403
POST api-rollback         401 405 405 405 405 405 405 405 403 403
GET  api-rollbacks        401 200 200 200 200 200 200 200 403 403
POST api-rollbacks        401 403 403 404 202 403 202 403 403 403
GET  api-run              401 200 200 404 200 200 200 200 403 403
POST api-run              401 405 405 405 405 405 405 405 403 403
GET  api-runs             401 200 200 200 200 200 200 200 403 403
POST api-runs             401 403 403 403 403 403 403 403 201 404
GET  api-schema           200 200 200 200 200 200 200 200 200 200
POST api-schema           405 405 405 405 405 405 405 405 405 405
GET  api-step             401 403 403 403 403 403 403 403 200 404
POST api-step             401 403 403 403 403 403 403 403 405 405
GET  api-steps            401 403 403 403 403 403 403 403 405 405
POST api-steps            401 403 403 403 403 403 403 403 201 404
GET  api-waive            401 405 405 405 405 405 405 405 403 403
POST api-waive            401 403 403 404 202 403 202 403 403 403
GET  api-workflow         401 200 200 404 200 200 200 200 403 403
POST api-workflow         401 405 405 405 405 405 405 405 403 403
GET  api-workflows        401 200 200 200 200 200 200 200 403 403
POST api-workflows        401 403 403 403 403 403 201 403 403 403
GET  approval             302 200 200 404 200 200 200 200 302 302
POST approval             302 403 302 404 403 403 403 403 302 302
GET  compensation         302 200 200 404 200 200 200 200 302 302
POST compensation         302 405 405 405 405 405 405 405 302 302
GET  compensation-done    302 405 405 405 405 405 405 405 302 302
POST compensation-done    302 403 403 404 302 403 302 403 302 302
GET  compensation-retry   302 405 405 405 405 405 405 405 302 302
POST compensation-retry   302 403 403 404 302 403 302 403 302 302
GET  compensation-waive   302 405 405 405 405 405 405 405 302 302
POST compensation-waive   302 403 403 404 302 403 302 403 302 302
GET  inbox                302 200 200 200 200 200 200 200 302 302
POST inbox                302 405 405 405 405 405 405 405 302 302
GET  incident             302 200 200 404 200 200 200 200 302 302
POST incident             302 405 405 405 405 405 405 405 302 302
GET  incident-change      302 405 405 405 405 405 405 405 302 302
POST incident-change      302 403 403 404 302 403 302 403 302 302
GET  incident-note        302 405 405 405 405 405 405 405 302 302
POST incident-note        302 302 302 404 302 302 302 403 302 302
GET  incidents            302 200 200 200 200 200 200 200 302 302
POST incidents            302 405 405 405 405 405 405 405 302 302
GET  rollback             302 200 200 404 200 200 200 200 302 302
POST rollback             302 405 405 405 405 405 405 405 302 302
GET  rollback-cancel      302 405 405 405 405 405 405 405 302 302
POST rollback-cancel      302 403 403 404 302 403 302 403 302 302
GET  rollback-pause       302 405 405 405 405 405 405 405 302 302
POST rollback-pause       302 403 403 404 302 403 302 403 302 302
GET  rollback-preview     302 200 403 404 200 200 200 403 302 302
POST rollback-preview     302 403 403 404 302 403 302 403 302 302
GET  rollback-resume      302 405 405 405 405 405 405 405 302 302
POST rollback-resume      302 403 403 404 302 403 302 403 302 302
GET  rollbacks            302 200 200 200 200 200 200 200 302 302
POST rollbacks            302 405 405 405 405 405 405 405 302 302
GET  run                  302 200 200 404 200 200 200 200 302 302
POST run                  302 405 405 405 405 405 405 405 302 302
GET  runbook              302 200 200 200 200 200 200 200 302 302
POST runbook              302 405 405 405 405 405 405 405 302 302
GET  runbooks             302 200 200 200 200 200 200 200 302 302
POST runbooks             302 405 405 405 405 405 405 405 302 302
GET  runs                 302 200 200 200 200 200 200 200 302 302
POST runs                 302 405 405 405 405 405 405 405 302 302
GET  sign-in              200 302 302 302 302 302 302 302 200 200
POST sign-in              200 302 302 302 302 302 302 302 200 200
GET  sign-out             302 405 405 405 405 405 405 405 302 302
POST sign-out             302 302 302 302 302 302 302 302 302 302
GET  theme                405 405 405 405 405 405 405 405 405 405
POST theme                302 302 302 302 302 302 302 302 302 302
GET  workflow             302 200 200 404 200 200 200 200 302 302
POST workflow             302 405 405 405 405 405 405 405 302 302
GET  workflows            302 200 200 200 200 200 200 200 302 302
POST workflows            302 405 405 405 405 405 405 405 302 302
"""
PUBLIC = {"healthz", "readyz", "sign-in-link"}  # have tests of their own: they know no roles
WHOLE = {"kind": "all", "cascade": False}


@dataclass
class Place:
    """An office with something in every state, and everybody's way in."""

    office: Office
    manager: User
    open_run: Run
    cleared: str  # the id of a step that has its go
    failed: Run
    approval: Approval
    rollback: Rollback
    paused: Rollback
    compensation: Compensation
    incident: Incident

    def caller(self, role: str) -> tuple[Client, dict[str, str]]:
        """A client that is ``role``, and the headers of its token."""
        client = Client(raise_request_exception=False)
        office = self.office
        if role in ("agent", "alien"):
            key = (office.agent if role == "agent" else office.other_agent).key
            return client, {"Authorization": f"Bearer {key}"}
        people = {
            "owner": office.owner,
            "asked": office.system_owner,
            "other": office.stranger,
            "lead": office.lead,
            "manager": self.manager,
            "admin": office.admin,
            "viewer": office.viewer,
        }
        if role in people:
            client.force_login(people[role], backend="django.contrib.auth.backends.ModelBackend")
        return client, {}


def make_place() -> Place:
    """What every test starts from."""
    office = open_office()
    make_runbook("by-hand", office.owner)
    open_run = stored_run(office.run())
    office.step(str(open_run.pk), REFUND, input={"amount": 1000})
    cleared = office.step(str(open_run.pk))
    rollbacks = []
    for _ in range(3):
        run = office.run()
        office.step(run, MAIL)  # waits for a yes, and never gets one
        office.did(run)
        office.did(run)
        office.finish(run, "failed")
        stored = stored_run(run)
        rollbacks.append(start_rollback(stored, WHOLE, "Wrong.", preview(stored, WHOLE).hash, office.lead))
    running, paused, stuck = rollbacks
    compensation = stuck.compensations.filter(state="ready").get()
    store.hand_over(compensation, "It does not work.")
    pause_rollback(paused, office.lead)
    failed = office.run()
    office.did(failed)
    office.finish(failed, "failed")
    incident = open_for_run(stored_run(failed), "cause", "It broke", "Run failed")
    return Place(
        office=office,
        manager=make_person(Role.MANAGER),
        open_run=open_run,
        failed=stored_run(failed),
        cleared=cleared,
        approval=Approval.objects.get(step__run=open_run),
        rollback=running,
        paused=paused,
        compensation=compensation,
        incident=incident,
    )


def address_of(place: Place, name: str) -> str:
    """Where ``name`` is for the things of ``place``."""
    things: dict[str, dict[str, Any]] = {
        "run": {"pk": place.failed.pk},
        "rollback-preview": {"pk": place.failed.pk},
        "api-run": {"pk": place.failed.pk},
        "approval": {"pk": place.approval.pk},
        "api-decide": {"pk": place.approval.pk},
        "workflow": {"slug": "onboard"},
        "api-workflow": {"slug": "onboard"},
        "runbook": {"slug": "by-hand"},
        "api-json-schema": {"kind": "workflow"},
        "incident-change": {"pk": place.incident.pk, "action": "acknowledge"},
    }
    for other in ("rollback", "api-rollback", "rollback-pause", "api-pause"):
        things[other] = {"pk": place.rollback.pk}
    for other in ("rollback-resume", "rollback-cancel", "api-resume", "api-cancel"):
        things[other] = {"pk": place.paused.pk}
    for other in ("compensation", "compensation-retry", "compensation-done", "compensation-waive"):
        things[other] = {"pk": place.compensation.pk}
    for other in ("api-retry", "api-done", "api-waive"):
        things[other] = {"pk": place.compensation.pk}
    for other in ("incident", "incident-note", "api-acknowledge"):
        things[other] = {"pk": place.incident.pk}
    for other in ("api-steps", "api-batch", "api-heartbeat", "api-finish"):
        things[other] = {"pk": place.open_run.pk}
    for other in ("api-step", "api-result"):
        things[other] = {"pk": place.cleared}
    return reverse(name, kwargs=things.get(name, {}))


def body_of(place: Place, name: str) -> dict[str, Any]:
    """What a valid request to ``name`` says."""
    plan = preview(place.failed, WHOLE).hash
    run = str(place.failed.pk)
    bodies: dict[str, dict[str, Any]] = {
        "api-runs": {"workflow": "onboard"},
        "api-steps": {"action": "directory.create_user", "input": {}},
        "api-batch": {"steps": [{"action": "directory.create_user", "status": "succeeded"}]},
        "api-result": {"status": "failed"},
        "api-finish": {"status": "succeeded"},
        "api-decide": {"verdict": "approve"},
        "approval": {"verdict": "approve", "reason": "Fine.", "shown_hash": place.approval.shown_hash},
        "api-preview": {"run": run, "scope": WHOLE},
        "api-rollbacks": {"run": run, "scope": WHOLE, "reason": "Wrong.", "plan_hash": plan},
        "rollback-preview": {"plan_hash": plan, "reason": "Wrong."},
        "api-cancel": {"reason": "Enough."},
        "rollback-cancel": {"reason": "Enough."},
        "api-done": {"evidence": "TICKET-1"},
        "compensation-done": {"evidence": "TICKET-1"},
        "api-waive": {"reason": "Kept."},
        "compensation-waive": {"reason": "Kept."},
        "api-incidents": {"title": "Odd", "run": run},
        "incident-note": {"text": "Looking."},
        "api-workflows": {"source": "apiVersion: recourse/v1\nkind: Team\nslug: fresh\nname: Fresh\n"},
        "theme": {"theme": "dark"},
        "sign-in": {"username": "nobody@example.org", "password": "wrong"},
    }
    return bodies.get(name, {})


def addresses(patterns: list[Any] | None = None) -> Iterator[str]:
    """The names of all our addresses; the admin site's are its own."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from addresses(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def ask(place: Place, role: str, method: str, name: str) -> HttpResponse:
    """One request."""
    client, headers = place.caller(role)
    address = address_of(place, name)
    if method == "GET":
        return client.get(address, headers=headers)  # type: ignore[return-value]
    body = body_of(place, name)
    if name.startswith("api-"):
        return client.post(address, json.dumps(body), content_type="application/json", headers=headers)  # type: ignore[return-value]
    return client.post(address, body, headers=headers)  # type: ignore[return-value]


def rows() -> list[tuple[str, str, list[int]]]:
    """The table: method, name, and a status for each role."""
    lines = [line.split() for line in TABLE.strip().splitlines()]
    return [(method, name, [int(status) for status in statuses]) for method, name, *statuses in lines]


def stored() -> list[Any]:
    """All that a refusal must not change."""
    kinds: list[type[models.Model]] = [Run, Approval, Rollback, Compensation, Incident]
    states = [list(kind._base_manager.order_by("pk").values_list("pk", "state")) for kind in kinds]
    return [*states, AuditEvent.objects.count(), Team.objects.count()]


def test_the_table_names_every_address_and_both_methods() -> None:
    assert {(method, name) for method, name, _ in rows()} == {
        (method, name) for name in set(addresses()) - PUBLIC for method in ("GET", "POST")
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "name", "statuses"), rows(), ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_every_role_is_answered_as_the_table_says(method: str, name: str, statuses: list[int]) -> None:
    place = make_place()
    before = stored()
    answered = []
    for role in ROLES:
        point = transaction.savepoint()
        answer = ask(place, role, method, name)
        answered.append(answer.status_code)
        if method == "GET" or answer.status_code >= 400 or role == "nobody":
            assert stored() == before, (role, answer.status_code)
        transaction.savepoint_rollback(point)

    assert dict(zip(ROLES, answered, strict=True)) == dict(zip(ROLES, statuses, strict=True))
