"""A browser, a server, and a visitor whose page may neither stumble nor call anybody else."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.server import Server, serve
from tests.browser.visitor import Visitor

PATIENCE_MS = 30_000
"""Until a page that never shows what is expected has failed; a slow machine is no failure."""

QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker, one behind the other.

    Playwright's event loop runs in the thread of the tests for as long as a browser is open, and no test of a
    coroutine can run beside it. So the browser is closed, and the loop ended, behind the last of this folder.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium, or else the one that `playwright install chromium` fetched."""
    expect.set_options(timeout=PATIENCE_MS)
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it is out of the box."""
    with serve(tmp_path_factory.mktemp("plushify")) as server:
        yield server


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile without a past."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def new_page(context: BrowserContext) -> Iterator[Callable[[Server], Page]]:
    """Opens pages, and at the end fails if one of them raised an error or asked another host for anything."""
    faults: list[str] = []

    def note_console(message: ConsoleMessage) -> None:
        # Chromium also reports every answer of 400 and above, which is what some tests are about.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(message.text)

    def open_page(server: Server) -> Page:
        def note_request(request: Request) -> None:
            if not request.url.startswith((server.url, "blob:", "data:")):
                faults.append(f"asked {request.url}")

        page = context.new_page()
        page.on("console", note_console)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", note_request)
        return page

    yield open_page
    assert faults == []


@pytest.fixture
def visitor(new_page: Callable[[Server], Page], server: Server) -> Visitor:
    """Somebody who has never been here."""
    return Visitor.new(new_page(server), server)


@pytest.fixture
def member(visitor: Visitor) -> Visitor:
    """Somebody who has just signed up."""
    visitor.visit()
    visitor.sign_up()
    expect(visitor.balance).to_have_text("3 credits")
    return visitor
