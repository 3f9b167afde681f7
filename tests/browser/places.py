"""Every page there is, in every state that it shows differently."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page, who of the office looks at it (nobody: signed out), and the status that it answers with.

    ``{…}`` in the path is the id of that thing of the scenery.
    """

    name: str
    path: str
    who: str = "lead"
    status: int = 200


NOBODY = ""

PLACES = (
    Place("sign-in", "/sign-in/", NOBODY),
    Place("inbox", "/", "system_owner"),
    Place("inbox-with-hand-overs", "/?view=all"),
    Place("inbox-empty", "/", "viewer"),
    Place("runs", "/runs/"),
    Place("runs-none-match", "/runs/?text=no+such+run"),
    Place("run-moving", "/runs/{busy}/"),
    Place("run-failed", "/runs/{failed}/"),
    Place("run-for-a-viewer", "/runs/{failed}/", "viewer"),
    Place("preview", "/runs/{failed}/rollback/"),
    Place("preview-with-its-sheet", "/runs/{failed}/rollback/?sheet=start"),
    Place("rollbacks", "/rollbacks/"),
    Place("rollback-running", "/rollbacks/{moving}/"),
    Place("rollback-paused", "/rollbacks/{paused}/"),
    Place("rollback-needs-attention", "/rollbacks/{stuck}/"),
    Place("rollback-ended", "/rollbacks/{ended}/"),
    Place("compensation-handed-over", "/compensations/{handed_over}/"),
    Place("compensation-with-its-sheet", "/compensations/{handed_over}/?sheet=done"),
    Place("compensation-undone", "/compensations/{undone}/"),
    Place("approval-pending", "/approvals/{pending}/", "system_owner"),
    Place("approval-with-its-sheet", "/approvals/{irreversible}/?sheet=refuse", "owner"),
    Place("approval-asked-of-others", "/approvals/{pending}/"),
    Place("approval-approved", "/approvals/{approved}/", "system_owner"),
    Place("approval-refused", "/approvals/{refused}/", "system_owner"),
    Place("incidents", "/incidents/"),
    Place("incident", "/incidents/{incident}/"),
    Place("incident-for-a-viewer", "/incidents/{incident}/", "viewer"),
    Place("workflows", "/workflows/"),
    Place("workflow", "/workflows/onboard/"),
    Place("runbooks", "/runbooks/"),
    Place("runbook", "/runbooks/remove-a-note-by-hand/"),
    Place("not-permitted", "/runs/{failed}/rollback/", "viewer", 403),
    Place("not-found", "/no/such/page/", status=404),
    Place("no-such-run", "/runs/01890000-0000-7000-8000-000000000000/", status=404),
)
