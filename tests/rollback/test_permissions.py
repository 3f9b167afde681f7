"""Every permission for every role, as one table."""

from typing import Any

import pytest

from rollback.models import Compensation, Rollback
from rollback.ownership.models import Role, User
from rollback.permissions import PERMISSIONS
from tests.factories import make_person
from tests.office import REFUND, Office, stored_run, stored_step

EVERYBODY = ["viewer", "owner", "incident_lead", "manager", "admin"]
# permission → the roles that have it on anything, and those that have it only on what is theirs
TABLE: dict[str, tuple[set[str], set[str]]] = {
    "rollback.preview": ({"incident_lead", "manager", "admin"}, {"owner"}),
    "rollback.start": ({"incident_lead", "admin"}, set()),
    "rollback.control": ({"incident_lead", "admin"}, set()),
    "compensation.finish": ({"incident_lead", "admin"}, {"owner", "manager"}),
    "approval.decide": (set(), {"owner", "incident_lead", "manager", "admin"}),
    "catalog.import": ({"manager", "admin"}, {"owner", "incident_lead"}),
    "people.manage": ({"admin"}, set()),
}


def things(office: Office, person: User | None) -> dict[str, Any]:
    """What each permission is about; ``person`` (if any) answers for all of it."""
    run = stored_run(office.run())
    step = stored_step(office.step(str(run.pk), REFUND, input={"amount": 1000}))
    approval = step.approvals.get()
    rollback = Rollback.objects.create(run=run, scope={}, plan_hash="", reason="r", on_failure="hold")
    compensation = Compensation.objects.create(
        rollback=rollback, step=step, system=step.system, position=1, key=str(step.pk)
    )
    if person is not None:
        run.workflow.owner = person
        approval.deciders.add(person)
        compensation.handed_to = person
    return {
        "rollback.preview": run,
        "rollback.start": run,
        "rollback.control": rollback,
        "compensation.finish": compensation,
        "approval.decide": approval,
        "catalog.import": run.workflow,
        "people.manage": None,
    }


def test_the_table_names_every_permission() -> None:
    assert set(TABLE) == set(PERMISSIONS)


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("permission", sorted(TABLE))
def test_a_role_may_do_what_the_table_says(office: Office, permission: str, role: str) -> None:
    anything, own = TABLE[permission]
    person = make_person(role)

    assert person.has_perm(permission, things(office, None)[permission]) is (role in anything)
    assert person.has_perm(permission, things(office, person)[permission]) is (role in anything | own)


@pytest.mark.parametrize("permission", sorted(TABLE))
def test_who_has_left_may_do_nothing(office: Office, permission: str) -> None:
    person = make_person(Role.ADMIN)
    thing = things(office, person)[permission]
    person.is_active = False

    assert not person.has_perm(permission, thing)


@pytest.mark.parametrize("permission", sorted(TABLE))
def test_without_a_thing_nobody_has_what_ownership_gives(permission: str, db: None) -> None:
    assert make_person(Role.OWNER).has_perm(permission) is False
