"""One Chromium and one Recourse with an office in it, for all tests here; every page is watched for complaints."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connections
from django.test import Client, TransactionTestCase
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from rollback.ownership.models import User
from tests.browser.scenery import Scenery
from tests.browser_found import FLAGS, chromium
from tests.office import open_office
from tests.rollback.recovery.outside import outside_world

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
PATIENCE = 15_000
"""Milliseconds: what takes a moment takes longer on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All on one worker: one Chromium, one office."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


@dataclass
class Site:
    """Recourse at an address, and what there is to see."""

    url: str
    scenery: Scenery
    things: dict[str, object]

    def person(self, name: str) -> User:
        """Somebody of the office."""
        person: User = getattr(self.scenery.office, name)
        return person


@pytest.fixture(scope="package")
def chrome() -> Iterator[Browser]:
    """A real Chromium."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker, chrome: Browser) -> Iterator[None]:
    """Here the database is filled once for all tests, since a server in another thread shows it; then it is emptied."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        # Playwright keeps an event loop in this thread; nothing of ours runs in it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield
        TransactionTestCase()._fixture_teardown()  # type: ignore[attr-defined]
        connections.close_all()


@pytest.fixture(scope="package")
def site(db: None) -> Iterator[Site]:
    """Recourse with its office, and the world outside."""
    with outside_world() as world:
        scenery = Scenery(open_office(), world)
        server = LiveServer("localhost")
        yield Site(server.url, scenery, scenery.everything())
        server.stop()


@dataclass
class Watched:
    """Pages of one test and what the browser complained about: errors, refused resources, broken policies."""

    complaints: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    """What each page itself was answered with, by its address."""

    def watch(self, page: Page) -> None:
        """From now on."""
        page.on("response", self._answered)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _answered(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.status[response.url] = response.status

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium says aloud that a page itself is a 403, 404, 409 or 422; those are asserted where they are meant.
        is_status = message.text.startswith("Failed to load resource") and message.location["url"] in self.status
        if message.type in ("error", "warning") and not is_status:
            self.complaints.append(f"{message.type}: {message.text}")


@dataclass
class Visits:
    """What people of the office open, each of them in one tab of a browser of their own, and all of them watched."""

    chrome: Browser
    site: Site
    watched: Watched = field(default_factory=Watched)
    tabs: dict[str, Page] = field(default_factory=dict)

    def open(self, path: str, who: str = "lead", **options: Any) -> Page:
        """The page at ``path`` as ``who`` of the office sees it (nobody: signed out); ``options`` are Playwright's."""
        tab = f"{who} {sorted(options.items())}"
        if tab not in self.tabs:
            self.tabs[tab] = self._browser_of(who, **options).new_page()
            self.watched.watch(self.tabs[tab])
        self.tabs[tab].goto(path)
        return self.tabs[tab]

    def _browser_of(self, who: str, **options: Any) -> BrowserContext:
        still: dict[str, Any] = {"viewport": WIDE, "reduced_motion": "reduce", "base_url": self.site.url}
        context = self.chrome.new_context(**{**still, **options})
        context.set_default_timeout(PATIENCE)
        if who:
            client = Client()
            client.force_login(self.site.person(who), backend="django.contrib.auth.backends.ModelBackend")
            session = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": self.site.url}])
        return context

    def end(self) -> None:
        """Close all, and see that Chromium had nothing to complain about."""
        for page in self.tabs.values():
            page.context.close()
        assert self.watched.complaints == []


@pytest.fixture
def visits(chrome: Browser, site: Site) -> Iterator[Visits]:
    """For one test."""
    visits = Visits(chrome, site)
    yield visits
    visits.end()
