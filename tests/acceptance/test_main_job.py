"""The main job, end to end, on all of Recourse as `make run` starts it, in a real browser."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from config.supervision import free_port
from tests.acceptance.processes import ROOT, started, wait_until
from tests.browser_found import FLAGS, chromium

LEAD = "noor.vandermeer@example.org"
QUIET_WORLD = {"WORLD_LATENCY_MS": "250"}

pytestmark = pytest.mark.acceptance


class Recourse:
    """A whole Recourse with its demo, on ports and data of its own; its agents do nothing by themselves."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port, self.world_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.world_url = f"http://127.0.0.1:{self.world_port}"
        self.environment = {
            "DEBUG": "1",
            "DATA_DIR": str(data),
            "PORT": str(self.port),
            "PUBLIC_URL": self.url,
            "RECOURSE_URL": self.url,
            "WORLD_PORT": str(self.world_port),
            "WORLD_URL": self.world_url,
            "DEMO_RUNS": "0",
            # Empty: as if not set, whatever the tests themselves run with.
            **dict.fromkeys(("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "HTTPS"), ""),
            "STATIC_MANIFEST": "0",
            "CSRF_TRUSTED_ORIGINS": self.url,
            "ALLOWED_HOSTS": "127.0.0.1",
            **QUIET_WORLD,
        }

    def is_ready(self) -> bool:
        """Database, broker, worker and sweeper are all there, and the world too."""
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200 and httpx.get(self.world_url).status_code == 200
        except httpx.HTTPError:
            return False

    def agent(self, name: str, token: str, *arguments: str) -> dict[str, str]:
        """Let an agent do one run, in a process of its own; answers what it said about it."""
        done = subprocess.run(
            [sys.executable, "-m", f"examples.demo.agents.{name}", "--once", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment, "RECOURSE_TOKEN_FILE": str(self.data / "agents" / f"{token}.token")},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        said: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
        return said

    def things_outside(self) -> list[tuple[str, str, str]]:
        """Everything that is there in the outside world: kind, name, and all that it says of itself."""
        with sqlite3.connect(f"file:{self.data}/demo/world.sqlite3?mode=ro", uri=True) as world:
            rows = world.execute("SELECT kind, id, doc FROM thing WHERE removed_at IS NULL ORDER BY kind, id")
            return list(rows.fetchall())

    def sign_in_link(self, email: str) -> str:
        """What `make run` prints for this person."""
        command = [sys.executable, "manage.py", "sign_in_link", email]
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()


@pytest.fixture(scope="module")
def recourse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recourse]:
    """One whole Recourse for the tests of this module."""
    whole = Recourse(tmp_path_factory.mktemp("recourse"))
    command = ["python", "-m", "config.up", "--extras", "examples/demo"]
    with started(*command, **whole.environment) as up:
        wait_until(lambda: whole.is_ready() or up.process.poll() is not None, 90, what="Recourse is ready")
        assert up.process.poll() is None, "Recourse ended by itself"
        yield whole


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A fresh Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        yield context.new_page()
        browser.close()


def test_a_failed_run_is_reported_previewed_and_taken_back_in_the_browser(recourse: Recourse, page: Page) -> None:
    before = recourse.things_outside()

    said = recourse.agent("onboarding", "onboarding", "--number", "41", "--fail-at", "cluster.grant_role")
    assert recourse.things_outside() != before

    page.goto(recourse.sign_in_link(LEAD))
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    page.get_by_role("link", name="Incidents").first.click()
    page.locator("[data-row]").first.click()
    page.get_by_role("link", name="Preview rollback").click()
    expect(page.get_by_role("heading", name="Will be undone")).to_be_visible()
    assert recourse.things_outside() != before, "a preview must not undo anything"

    page.get_by_role("link", name="Roll back…").click()
    page.get_by_label("Why is this run rolled back?").fill("The role does not exist: the whole run is wrong.")
    page.get_by_role("button", name="Roll back now").click()

    expect(page.locator("#progress")).to_be_visible()
    seen = _states_seen_until_completed(page)
    assert recourse.things_outside() == before
    assert "At once" in seen, "independent branches are undone at the same time, and one sees it"
    page.goto(f"{recourse.url}/runs/{said['run']}/")
    expect(page.get_by_text("Rolled back").first).to_be_visible()
    _check_order(recourse, page, page.url)


def _states_seen_until_completed(page: Page) -> set[str]:
    """Watch the live page without touching it; what was seen on the way."""
    seen: set[str] = set()
    done = page.get_by_text("Every step in scope is restored.")
    for _ in range(600):
        at_work = page.get_by_text("at work").all_inner_texts()
        if any(int(text.split()[0]) > 1 for text in at_work if text.split()[0].isdigit()):
            seen.add("At once")
        if done.is_visible():
            return seen
        page.wait_for_timeout(100)
    raise AssertionError(f"the rollback did not complete: {page.locator('main').inner_text()}")


def _check_order(recourse: Recourse, page: Page, run_url: str) -> None:
    """Asked of the API as the lead: nothing was undone before what was built on it, branches overlapped."""
    run = page.request.get(run_url.replace("/runs/", "/api/v1/runs/").rstrip("/")).json()
    listed = page.request.get(f"{recourse.url}/api/v1/rollbacks").json()["results"]
    rollback_id = next(one["id"] for one in listed if one["run"] == run["id"])
    rollback = page.request.get(f"{recourse.url}/api/v1/rollbacks/{rollback_id}").json()
    spans = {
        c["step"]: (min(a["started_at"] for a in c["attempts"]), max(a["ended_at"] for a in c["attempts"]))
        for c in rollback["compensations"]
    }
    assert len(run["steps"]) == 12
    assert len(spans) == 11
    for step in run["steps"]:
        for needed in step["depends_on"] or []:
            if step["id"] in spans and needed in spans:
                assert spans[step["id"]][1] <= spans[needed][0], step["action"]
    edges = sorted(spans.values())
    assert any(later[0] < earlier[1] for earlier, later in pairwise(edges))
    assert all(c["verified"] for c in rollback["compensations"])


def test_an_owner_approves_from_a_phone_and_the_agent_goes_on(recourse: Recourse, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(recourse.sign_in_link("mei-lin.tan@example.org"))
    environment = {
        **recourse.environment,
        "RECOURSE_TOKEN_FILE": str(recourse.data / "agents" / "refunds.token"),
    }
    agent = ["python", "-m", "examples.demo.agents.refunds", "--once", "--number", "6", "--more"]

    with started(*agent, **environment) as refunds:
        page.get_by_role("link", name="billing.refund").first.wait_for(timeout=60_000)
        page.get_by_role("link", name="billing.refund").first.click()
        page.get_by_role("link", name="Approve…").click()
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("approved").first).to_be_visible()
        wait_until(lambda: refunds.process.poll() is not None, 60, what="the agent ends")

        assert refunds.process.returncode == 0, refunds.said()
