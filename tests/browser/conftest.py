"""Fixtures: a browser, a server, and visitors whose pages may neither raise errors nor contact another host."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.server import Server, serve
from tests.browser.visitor import Visitor

PATIENCE_MS = 30_000
"""Time limit for everything that a test waits for on a page; long enough for a slow machine."""

QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests on one worker, one after the other.

    While a browser is open, Playwright's event loop runs in the thread of the tests, and no asynchronous test can
    run there. On one worker the browser is closed after the last test of this folder, before any other test runs.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium, or the one that `playwright install chromium` fetched if the system has none."""
    expect.set_options(timeout=PATIENCE_MS)
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve with the default settings."""
    with serve(tmp_path_factory.mktemp("plushify")) as server:
        yield server


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a new browser profile, without cookies or cache."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def new_page(context: BrowserContext) -> Iterator[Callable[[Server], Page]]:
    """Return a function that opens pages. The test fails if one of them raises an error or contacts another host."""
    faults: list[str] = []

    def note_console(message: ConsoleMessage) -> None:
        # Chromium also logs every response of 400 and above, and some tests provoke such responses.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(message.text)

    def open_page(server: Server) -> Page:
        def note_request(request: Request) -> None:
            if not request.url.startswith((server.url, "blob:", "data:")):
                faults.append(f"contacted {request.url}")

        page = context.new_page()
        page.on("console", note_console)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", note_request)
        return page

    yield open_page
    assert faults == []


@pytest.fixture
def visitor(new_page: Callable[[Server], Page], server: Server) -> Visitor:
    """Return a visitor without an account who has not opened the page yet."""
    return Visitor.new(new_page(server), server)


@pytest.fixture
def member(visitor: Visitor) -> Visitor:
    """Return a visitor who has just signed up."""
    visitor.visit()
    visitor.sign_up()
    expect(visitor.balance).to_have_text("3 credits")
    return visitor
