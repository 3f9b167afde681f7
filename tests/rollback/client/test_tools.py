"""The decorator: functions that report themselves."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from rollback.client import ApiError, Effect, NoRun, Recourse, Undo
from rollback.client.jsonable import jsonable
from tests.rollback.client.contract import Contract, Trouble


@dataclass
class User:
    id: str
    name: str


def test_a_call_reports_its_arguments_and_its_return_value(recourse: Recourse, contract: Contract) -> None:
    @recourse.tool(
        "directory.create_user",
        effects=lambda user: [Effect("directory", "user", user.id)],
        produces=lambda user: [f"user:{user.id}"],
        undo=lambda user: Undo.http("DELETE", f"/users/{user.id}"),
    )
    def create_user(name: str, /, *groups: str, admin: bool = False, **more: Any) -> User:
        """Make one."""
        return User("u-1", name)

    with recourse.run("onboard-employee"):
        user = create_user("Ada", "staff", team="engines")

    assert user == User("u-1", "Ada")
    assert create_user.__doc__ == "Make one."
    (step,) = contract.steps.values()
    assert step["body"]["input"] == {"name": "Ada", "groups": ["staff"], "admin": False, "team": "engines"}
    assert step["result"]["output"] == {"id": "u-1", "name": "Ada"}
    assert step["result"]["effects"] == [{"system": "directory", "kind": "user", "ref": "u-1"}]
    assert step["result"]["produces"] == ["user:u-1"]
    assert step["result"]["undo"]["request"] == {"method": "DELETE", "path": "/users/u-1"}


def test_a_method_reports_without_self(recourse: Recourse, contract: Contract) -> None:
    class Directory:
        @recourse.tool("directory.create_user")
        def create(self, name: str) -> None:
            """Nothing."""

    with recourse.run("onboard-employee"):
        Directory().create("Ada")

    assert contract.writes("/steps")[0].body["input"] == {"name": "Ada"}


def test_a_run_has_the_decorator_too(recourse: Recourse, contract: Contract) -> None:
    run = recourse.run("onboard-employee")

    @run.tool("directory.create_user", system="directory", undo=Undo.by_hand())
    def create_user(name: str) -> dict[str, str]:
        return {"name": name}

    create_user("Ada")
    run.finish()

    assert contract.writes("/steps")[0].body["system"] == "directory"
    assert contract.writes("/result")[0].body["undo"] == {"executor": "manual"}


def test_a_tool_outside_of_a_run_does_not_act(recourse: Recourse) -> None:
    @recourse.tool("directory.create_user")
    def create_user() -> None:
        pytest.fail("it must not act unreported")

    with pytest.raises(NoRun):
        create_user()


def test_a_failing_tool_is_reported_as_failed(recourse: Recourse, contract: Contract) -> None:
    @recourse.tool("directory.create_user")
    def create_user() -> None:
        raise ValueError("taken")

    with pytest.raises(ValueError, match="taken"), recourse.run("onboard-employee"):
        create_user()

    assert contract.writes("/result")[0].body["error"] == "ValueError: taken"


def test_that_it_was_done_is_reported_even_if_its_effects_cannot_be_told(
    recourse: Recourse, contract: Contract
) -> None:
    @recourse.tool("directory.create_user", effects=lambda user: [Effect("directory", "user", user["id"])])
    def create_user() -> dict[str, str]:
        return {"name": "Ada"}

    with pytest.raises(KeyError), recourse.run("onboard-employee"):
        create_user()

    assert contract.writes("/result")[0].body["status"] == "succeeded"
    assert contract.writes("/result")[0].body["output"] == {"name": "Ada"}


def test_that_it_was_done_is_reported_even_if_its_effects_are_refused(recourse: Recourse, contract: Contract) -> None:
    contract.troubles.append(Trouble("/result", 422, body={"code": "unknown-system"}))

    @recourse.tool("directory.create_user", effects=[Effect("no-such-system", "user")])
    def create_user() -> dict[str, str]:
        return {"id": "u-1"}

    with pytest.raises(ApiError, match="unknown-system"), recourse.run("onboard-employee"):
        create_user()

    (step,) = contract.steps.values()
    assert (step["result"]["output"], step["result"]["effects"]) == ({"id": "u-1"}, [])


def test_coroutines_report_themselves_without_stopping_the_loop(recourse: Recourse, contract: Contract) -> None:
    contract.ask_for = {"directory.create_user"}

    @recourse.tool("directory.create_user", effects=[Effect("directory", "user")])
    async def create_user(name: str) -> dict[str, str]:
        await asyncio.sleep(0)
        return {"name": name}

    async def both() -> tuple[Any, Any]:
        asyncio.get_running_loop().call_later(0.2, contract.decide, "cleared")
        ada, grace = await asyncio.gather(create_user("Ada"), create_user("Grace"))
        return ada, grace

    with recourse.run("onboard-employee"):
        assert asyncio.run(both()) == ({"name": "Ada"}, {"name": "Grace"})

    assert [step["status"] for step in contract.steps.values()] == ["succeeded", "succeeded"]


def test_a_cancelled_coroutine_stays_in_doubt(recourse: Recourse, contract: Contract) -> None:
    @recourse.tool("directory.create_user")
    async def create_user() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError), recourse.run("onboard-employee"):
        asyncio.run(asyncio.wait_for(create_user(), 0.5))

    assert len(contract.steps) == 1
    assert not contract.writes("/result")


class Colour(Enum):
    RED = "red"


class Stubborn:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_whatever_tools_return_becomes_json() -> None:
    loop: list[Any] = []
    loop.append(loop)

    assert jsonable({1: Decimal("1.10"), "colour": Colour.RED, "set": {1}, "big": 2**60, "nan": float("nan")}) == {
        "1": "1.10",
        "colour": "red",
        "set": [1],
        "big": str(2**60),
        "nan": "nan",
    }
    assert jsonable(loop) == ["…"]
    assert jsonable(Stubborn()) == "<Stubborn>"
