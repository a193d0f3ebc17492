"""The gallery on the page."""

import httpx
from playwright.sync_api import Route, expect

from tests.browser.visitor import PASSWORD, Visitor, photo


def fill_gallery(visitor: Visitor, count: int) -> None:
    """Make this many plushies for the visitor without the page."""
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
    """There is a way on from an empty shelf."""
    gallery = member.page.get_by_role("link", name="Gallery", exact=True)
    gallery.click()
    expect(gallery).to_have_attribute("aria-current", "page")
    member.page.get_by_role("link", name="Make a plushie").click()
    expect(member.page.get_by_role("heading", name="Turn a photo into a plushie")).to_be_focused()


def test_the_gallery_asks_strangers_to_sign_in(visitor: Visitor) -> None:
    """Whoever is not signed in sees how to, also by a link to the gallery itself."""
    visitor.visit("#/gallery")
    expect(visitor.page.get_by_role("heading", name="Whose shelf is it?")).to_be_visible()


def test_skeletons_stand_in_until_the_data_has_come(member: Visitor) -> None:
    """Loading is shown for as long as the server takes to answer."""
    held: list[Route] = []
    member.page.route("**/api/generations?*", lambda route: held.append(route))
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    loading = member.page.get_by_role("status", name="Loading your plushies")
    expect(loading).to_be_visible()
    held[0].continue_()
    expect(loading).to_be_hidden()


def test_more_than_a_page_is_shown_on_request(member: Visitor) -> None:
    """With pages of two, three plushies are two, and one more on request."""

    def ask_for_two(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=12", "limit=2"))

    member.page.route("**/api/generations?*", ask_for_two)
    fill_gallery(member, 3)
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(member.tiles).to_have_count(2)
    expect(member.page.get_by_text("2 of 3")).to_be_visible()
    member.page.get_by_role("button", name="Show more").click()
    expect(member.tiles).to_have_count(3)
    expect(member.page.get_by_role("button", name="Show more")).to_be_hidden()


def test_a_plushie_has_an_address_with_the_original_beside_it(member: Visitor) -> None:
    """The details open by their address, close by Escape, and the focus is back in the gallery."""
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


def test_a_restored_plushie_is_back_in_its_place(member: Visitor) -> None:
    """Undo puts it where it was, not first."""
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


def test_a_plushie_that_is_not_there_is_told(member: Visitor) -> None:
    """NOT_FOUND, and the gallery stays."""
    member.page.goto(f"{member.server.url}/#/gallery/00000000-0000-7000-8000-000000000000")
    expect(member.toast("Not here any more")).to_be_visible()
    expect(member.page).to_have_url(f"{member.server.url}/#/gallery")
