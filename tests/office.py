"""An office for tests: two workflows, their people, and one agent for each."""

from dataclasses import dataclass
from typing import Any

from rollback.catalog.models import System, Workflow
from rollback.ownership.models import AgentToken, Role, User
from rollback.runs.models import Run, Step
from tests.api import Caller
from tests.factories import make_action, make_agent, make_person, make_personal_key, make_system, make_workflow

CREATE, MAIL, REFUND = "directory.create_user", "mail.send", "billing.refund"
REFUND_AGAIN = {"executor": "http", "request": {"method": "POST", "path": "/charges", "body": {"for": "${input.to}"}}}


@dataclass
class Office:
    """``onboard`` is the agent's workflow; ``other`` is somebody else's, with an agent of its own."""

    owner: User  # of the workflow
    admin: User
    lead: User
    system_owner: User  # of billing
    stranger: User  # owns the other workflow
    viewer: User
    directory: System
    billing: System
    onboard: Workflow
    other: Workflow
    token: AgentToken
    agent: Caller
    other_agent: Caller

    def person(self, user: User) -> Caller:
        """``user`` with a personal token."""
        return Caller(make_personal_key(user))

    def run(self, **body: Any) -> str:
        """A run that the agent opens; its id."""
        return str(self.agent.post("/runs", {"workflow": "onboard", **body}).ok(201)["id"])

    def step(self, run: str, action: str = CREATE, **body: Any) -> str:
        """A step that the agent proposes; its id."""
        return str(self.agent.post(f"/runs/{run}/steps", {"action": action, "input": {}, **body}).ok(201)["id"])

    def result(self, step: str, status: str = "succeeded", **body: Any) -> Any:
        """A result that the agent reports; the answer."""
        return self.agent.post(f"/steps/{step}/result", {"status": status, **body}).ok()

    def did(self, run: str, user: str = "u-1") -> str:
        """A step that created a user; its id."""
        step = self.step(run)
        self.result(step, output={"id": user}, effects=[{"system": "directory", "kind": "user", "ref": user}])
        return step

    def finish(self, run: str, status: str = "succeeded", **body: Any) -> Any:
        """The run's end."""
        return self.agent.post(f"/runs/{run}/finish", {"status": status, **body}).ok()


def open_office() -> Office:
    """The office, empty of runs."""
    owner, system_owner = make_person(name="Olu Owner"), make_person(name="Sam System")
    stranger = make_person(name="Sue Stranger")
    directory = make_system("directory", make_person(name="Dora Directory"))
    billing = make_system("billing", system_owner)
    onboard = make_workflow("onboard", owner)
    make_action(onboard, CREATE, directory)
    make_action(onboard, MAIL, directory, reversibility="irreversible")
    rule = {"when": "input.amount > 500", "from": ["system_owner"], "quorum": 1, "expires": "1h"}
    make_action(
        onboard,
        REFUND,
        billing,
        reversibility="compensatable",
        approval=rule,
        compensation=REFUND_AGAIN,
        verification=None,
    )
    other = make_workflow("other", stranger, undeclared="allow")
    make_action(other, "elsewhere.do", make_system("elsewhere", stranger))
    token, key = make_agent(onboard, name="onboarder")
    _, other_key = make_agent(other, name="somebody else's")
    return Office(
        owner=owner,
        admin=make_person(Role.ADMIN),
        lead=make_person(Role.LEAD),
        system_owner=system_owner,
        stranger=stranger,
        viewer=make_person(Role.VIEWER),
        directory=directory,
        billing=billing,
        onboard=onboard,
        other=other,
        token=token,
        agent=Caller(key),
        other_agent=Caller(other_key),
    )


def stored_run(run: str) -> Run:
    """The run as it is in the database."""
    return Run.objects.select_related("workflow", "version", "token").get(pk=run)


def stored_step(step: str) -> Step:
    """The step as it is in the database."""
    return Step.objects.select_related("run", "action", "system").get(pk=step)
