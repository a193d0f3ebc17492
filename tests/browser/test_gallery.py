"""The gallery on the page."""

import httpx
from playwright.sync_api import Route, expect

from tests.browser.visitor import PASSWORD, Visitor, photo


def fill_gallery(visitor: Visitor, count: int) -> None:
    """Make `count` plushies for the visitor over HTTP, without the page."""
    visitor.server.grant(visitor.email, count)
    url = visitor.server.url
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=60, trust_env=False) as client:
        client.post("/api/session", json={"email": visitor.email, "password": PASSWORD}).raise_for_status()
        for _ in range(count):
            submitted = client.post(
                "/api/generations",
                data={"style": "classic", "quality": "standard"},
                files={"image": ("bello.jpg", photo(200, 150), "image/jpeg")},
            )
            assert submitted.status_code == 201, submitted.text


def test_an_empty_gallery_leads_to_the_first_plushie(member: Visitor) -> None:
    """The empty gallery links to the create view."""
    gallery = member.page.get_by_role("link", name="Gallery", exact=True)
    gallery.click()
    expect(gallery).to_have_attribute("aria-current", "page")
    member.page.get_by_role("link", name="Make a plushie").click()
    expect(member.page.get_by_role("heading", name="Turn a photo into a plushie")).to_be_focused()


def test_the_gallery_asks_visitors_to_sign_in(visitor: Visitor) -> None:
    """A visitor who opens the gallery's address without a session sees a request to sign in."""
    visitor.visit("#/gallery")
    expect(visitor.page.get_by_role("heading", name="Whose shelf is it?")).to_be_visible()


def test_skeletons_are_shown_while_the_gallery_loads(member: Visitor) -> None:
    """The loading state is shown until the server has responded."""
    held: list[Route] = []
    member.page.route("**/api/generations?*", lambda route: held.append(route))
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    loading = member.page.get_by_role("status", name="Loading your plushies")
    expect(loading).to_be_visible()
    held[0].continue_()
    expect(loading).to_be_hidden()


def test_show_more_loads_the_next_page(member: Visitor) -> None:
    """With a page size of two, the third of three plushies is shown after "Show more"."""

    def limit_to_two(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=12", "limit=2"))

    member.page.route("**/api/generations?*", limit_to_two)
    fill_gallery(member, 3)
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(member.tiles).to_have_count(2)
    expect(member.page.get_by_text("2 of 3")).to_be_visible()
    member.page.get_by_role("button", name="Show more").click()
    expect(member.tiles).to_have_count(3)
    expect(member.page.get_by_role("button", name="Show more")).to_be_hidden()


def test_the_details_have_an_address_and_show_the_original(member: Visitor) -> None:
    """The details open from the gallery and from their address, and Escape leads back to the gallery."""
    fill_gallery(member, 1)
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    member.tiles.get_by_role("link").click()
    dialog = member.page.get_by_role("dialog", name="Classic")
    expect(dialog.get_by_alt_text("The original photo")).to_be_visible()
    expect(dialog).to_contain_text("512 × 384 px")
    member.page.reload()
    expect(dialog.get_by_alt_text("The plushie")).to_be_visible()
    member.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(member.page).to_have_url(f"{member.server.url}/#/gallery")


def test_a_restored_plushie_returns_to_its_place(member: Visitor) -> None:
    """Undo puts the plushie where it was, not at the beginning."""
    fill_gallery(member, 3)
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(member.tiles).to_have_count(3)
    addresses = "tiles => tiles.map(tile => tile.querySelector('a').hash)"
    before = member.tiles.evaluate_all(addresses)
    member.tiles.nth(1).get_by_role("button", name="Delete").click()
    expect(member.tiles).to_have_count(2)
    member.page.get_by_role("button", name="Undo").click()
    expect(member.tiles).to_have_count(3)
    assert member.tiles.evaluate_all(addresses) == before


def test_an_unknown_plushie_is_reported(member: Visitor) -> None:
    """On NOT_FOUND the page shows a notification and returns to the gallery."""
    member.page.goto(f"{member.server.url}/#/gallery/00000000-0000-7000-8000-000000000000")
    expect(member.toast("Not here any more")).to_be_visible()
    expect(member.page).to_have_url(f"{member.server.url}/#/gallery")
