"""Accessibility of the page: axe-core, small screens, and the keyboard."""

from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from plushify_web.page.routes import STATIC
from tests.browser.server import Server
from tests.browser.visitor import Visitor, photo

DESKTOP = (1280, 860)
SMALLEST = (320, 640)


def violations(page: Page) -> list[str]:
    """Return the violations that axe-core finds in the current state of the page."""
    return [
        f"{violation['id']}: {node['target']}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, SMALLEST])
def test_axe_finds_nothing_in_any_view(
    browser: Browser, server: Server, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """The page has no violations signed out, in the dialogs, with a result, in the gallery, and with a notification."""
    context = browser.new_context(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": size[0], "height": size[1]}
    )
    visitor = Visitor.new(context.new_page(), server)
    page = visitor.page
    found = {}
    visitor.visit()
    found["create"] = violations(page)
    visitor.choose(photo())
    visitor.make()
    expect(page.get_by_role("dialog")).to_be_visible()
    found["sign up"] = violations(page)
    visitor.fill_in("Sign up")
    expect(visitor.result).to_be_visible()
    found["result"] = violations(page)
    page.get_by_role("link", name="Gallery", exact=True).click()
    expect(visitor.tiles).to_have_class("loaded")
    found["gallery"] = violations(page)
    visitor.tiles.get_by_role("link").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    found["details"] = violations(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(visitor.toast("Deleted")).to_be_visible()
    found["empty"] = violations(page)
    context.close()
    assert found == {"create": [], "sign up": [], "result": [], "gallery": [], "details": [], "empty": []}


def test_the_page_fits_the_smallest_screen(member: Visitor) -> None:
    """At a width of 320 px the page does not scroll sideways (WCAG 2.2, success criterion 1.4.10)."""
    member.page.set_viewport_size({"width": SMALLEST[0], "height": SMALLEST[1]})
    width = "() => document.documentElement.scrollWidth"
    assert member.page.evaluate(width) == SMALLEST[0]
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(member.page.get_by_role("heading", name="An empty shelf")).to_be_visible()
    assert member.page.evaluate(width) == SMALLEST[0]


def test_a_style_can_be_chosen_with_the_keyboard(visitor: Visitor) -> None:
    """The first Tab reaches the link that skips the header, and the arrow keys choose a style."""
    visitor.visit()
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("main")).to_be_focused()
    visitor.page.get_by_role("radio", name="Classic").focus()
    visitor.page.keyboard.press("ArrowRight")
    expect(visitor.page.get_by_role("radio", name="Kawaii")).to_be_checked()


def test_every_module_is_preloaded(new_page: Callable[[Server], Page], server: Server) -> None:
    """The page lists all its modules in its head, so that none is fetched only after the module that imports it."""
    page = new_page(server)
    page.goto(server.url)
    links = page.locator("link[rel=modulepreload]")
    named = links.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert {*named, "/static/js/main.js"} == {
        f"/static/{file.relative_to(STATIC).as_posix()}" for file in STATIC.rglob("*.js")
    }
