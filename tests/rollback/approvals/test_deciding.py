"""A person's answer: who may give it, what it needs, and what follows."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from rollback.approvals.models import Approval, Decision
from rollback.approvals.selectors import waiting_for
from rollback.approvals.services import expire_due
from rollback.audit.models import AuditEvent
from rollback.catalog.models import Action
from tests.api import Answer, Caller
from tests.factories import make_person, make_personal_key
from tests.office import MAIL, REFUND, Office, open_office, stored_step


def ask(office: Office, action: str = REFUND) -> Approval:
    """A request for a yes: by the system's owner for a refund, by the workflow's owner for a mail."""
    return stored_step(office.step(office.run(), action, input={"amount": 1000})).approvals.get()


def decide(office: Office, person: Any, approval: Approval, verdict: str = "approve", **body: Any) -> Answer:
    """``person`` answers over the API."""
    return office.person(person).post(f"/approvals/{approval.pk}/decide", {"verdict": verdict, **body})


def test_a_yes_clears_the_step(office: Office) -> None:
    approval = ask(office)
    answer = decide(office, office.system_owner, approval).ok()

    assert (answer["id"], answer["status"]) == (str(approval.pk), "approved")
    assert office.agent.get(f"/steps/{approval.step_id}").ok()["verdict"] == "go"
    assert stored_step(str(approval.step_id)).cleared_at is not None


def test_a_no_refuses_the_step(office: Office) -> None:
    approval = ask(office)
    decide(office, office.system_owner, approval, "refuse", reason="Too much.").ok()

    step = office.agent.get(f"/steps/{approval.step_id}").ok()
    assert (step["status"], step["verdict"]) == ("refused", "halt")


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_no_needs_a_reason(office: Office, reason: str) -> None:
    approval = ask(office)

    document = decide(office, office.system_owner, approval, "refuse", reason=reason).refused(422, "reason-required")
    assert document["errors"][0]["pointer"] == "/reason"


def test_a_yes_to_the_irreversible_needs_a_reason(office: Office) -> None:
    approval = ask(office, MAIL)

    decide(office, office.owner, approval).refused(422, "reason-required")
    decide(office, office.owner, approval, reason="The text was read.").ok()


def test_who_was_not_asked_does_not_decide(office: Office) -> None:
    approval = ask(office)

    for person in (office.owner, office.lead, office.admin, office.viewer):
        decide(office, person, approval).refused(403, "not-asked")
    decide(office, office.stranger, approval).refused(404, "unknown-approval")
    assert approval.decisions.count() == 0


def test_a_second_answer_hears_who_decided_and_when(office: Office) -> None:
    Action.objects.filter(key=REFUND).update(approval={"when": "true", "from": ["system_owner", "workflow_owner"]})
    approval = ask(office)
    decide(office, office.system_owner, approval).ok()

    document = decide(office, office.owner, approval, "refuse", reason="No!").refused(409, "already-decided")
    assert "approved by Sam System at 20" in document["detail"]


def test_an_answer_to_something_else_than_what_was_shown_is_refused(office: Office) -> None:
    approval = ask(office)

    decide(office, office.system_owner, approval, shown_hash="0" * 64).refused(409, "changed-since-shown")
    decide(office, office.system_owner, approval, shown_hash=approval.shown_hash).ok()


def test_a_quorum_needs_as_many_people(office: Office) -> None:
    rule = {"when": "true", "from": ["system_owner", "workflow_owner"], "quorum": 2}
    Action.objects.filter(key=REFUND).update(approval=rule)
    approval = ask(office)

    assert decide(office, office.system_owner, approval).ok()["status"] == "pending"
    decide(office, office.system_owner, approval).refused(409, "answered-already")
    assert list(waiting_for(office.system_owner)) == []
    assert list(waiting_for(office.owner)) == [approval]
    assert decide(office, office.owner, approval).ok()["status"] == "approved"


def test_one_no_ends_a_quorum(office: Office) -> None:
    rule = {"when": "true", "from": ["system_owner", "workflow_owner"], "quorum": 2}
    Action.objects.filter(key=REFUND).update(approval=rule)
    approval = ask(office)
    decide(office, office.system_owner, approval).ok()

    assert decide(office, office.owner, approval, "refuse", reason="No.").ok()["status"] == "refused"


def test_what_nobody_answers_in_time_expires_as_refused(office: Office) -> None:
    approval = ask(office)
    late = approval.expires_at + timedelta(seconds=1)

    assert (expire_due(timezone.now()), expire_due(late), expire_due(late)) == (0, 1, 0)
    step = office.agent.get(f"/steps/{approval.step_id}").ok()
    assert (step["status"], step["verdict"]) == ("expired", "halt")


def test_a_request_past_its_time_is_not_decided_any_more_even_before_the_sweeper_comes(office: Office) -> None:
    approval = ask(office)
    Approval.objects.filter(pk=approval.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    decide(office, office.system_owner, approval).refused(409, "already-decided")


def test_every_answer_is_in_the_history_with_its_reason(office: Office) -> None:
    approval = ask(office, MAIL)
    decide(office, office.owner, approval, reason="The text was read.").ok()

    events = AuditEvent.objects.filter(subject=approval.pk).order_by("number")
    assert [event.type for event in events] == ["approval.ask", "approval.decision", "approval.approve"]
    assert "The text was read." in events[1].payload
    assert approval.shown_hash in events[1].payload
    assert events[1].actor_name == "Olu Owner"


def test_people_list_the_approvals_that_they_may_see(office: Office) -> None:
    first, second = ask(office), ask(office, MAIL)
    decide(office, office.system_owner, first).ok()

    def listed(person: Any, query: str = "") -> list[str]:
        return [row["id"] for row in office.person(person).get(f"/approvals{query}").ok()["results"]]

    assert listed(office.owner) == [str(second.pk), str(first.pk)]
    assert listed(office.owner, "?status=pending") == [str(second.pk)]
    assert listed(office.system_owner) == [str(second.pk), str(first.pk)]  # of a run that touches their system
    assert listed(office.stranger) == []


@pytest.mark.django_db(transaction=True)
def test_two_answers_at_once_have_one_effect() -> None:
    office = open_office()
    Action.objects.filter(key=REFUND).update(approval={"when": "true", "from": ["system_owner", "workflow_owner"]})
    approval = ask(office)
    callers = [Caller(make_personal_key(person)) for person in (office.system_owner, office.owner)]
    gate, answers = threading.Barrier(2), []

    def answer(caller: Caller, verdict: str) -> None:
        gate.wait()
        body = {"verdict": verdict, "reason": "So it is."}
        answers.append(caller.post(f"/approvals/{approval.pk}/decide", body))
        connection.close()

    pairs = zip(callers, ("approve", "refuse"), strict=True)
    threads = [threading.Thread(target=answer, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status for answer in answers) == [200, 409]
    assert Decision.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_answers_and_ends_of_runs_at_once_never_stand_in_each_others_way() -> None:
    office = open_office()
    runs = [office.run() for _ in range(5)]
    approvals = [stored_step(office.step(run, REFUND, input={"amount": 1000})).approvals.get() for run in runs]
    for run in runs:
        office.step(run)  # without a result: the end of the run has a step to put in doubt first
    person, gate, answers = Caller(make_personal_key(office.system_owner)), threading.Barrier(2), []

    def work(caller: Caller, calls: list[tuple[str, dict[str, str]]]) -> None:
        for path, body in calls:
            gate.wait()
            answers.append(caller.post(path, body).status)
        connection.close()

    decide_all = [(f"/approvals/{approval.pk}/decide", {"verdict": "approve"}) for approval in approvals]
    finish_all = [(f"/runs/{run}/finish", {"status": "failed"}) for run in runs]
    threads = [threading.Thread(target=work, args=args) for args in ((person, decide_all), (office.agent, finish_all))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 10
    assert set(answers) <= {200, 409}


def test_invariant_8_who_asks_never_approves(office: Office) -> None:
    approval = ask(office)
    approval.requester = office.system_owner
    approval.save()

    decide(office, office.system_owner, approval).refused(403, "own-request")


def test_invariant_8_becoming_owner_meanwhile_gives_no_right_to_decide(office: Office) -> None:
    approval = ask(office)
    newcomer = make_person(name="Nia New")
    office.billing.owner = newcomer
    office.billing.save()

    decide(office, newcomer, approval).refused(403, "not-asked")


def test_invariant_8_an_agents_token_never_approves(office: Office) -> None:
    approval = ask(office)

    office.agent.post(f"/approvals/{approval.pk}/decide", {"verdict": "approve"}).refused(403, "agents-cannot")
    assert stored_step(str(approval.step_id)).state == "awaiting_approval"
