"""Making a plushie on the page."""

from playwright.sync_api import Page, Route, expect

from tests.browser.visitor import Visitor, photo


def test_the_whole_path_of_the_page(visitor: Visitor) -> None:
    """Sign up, drop a photo, choose, wait, see the plushie at its true size, find it, delete it, undo, delete it."""
    page = visitor.page
    visitor.visit()
    visitor.drop(photo(1200, 900))
    expect(page.get_by_alt_text("The photo you chose")).to_be_visible()
    visitor.make("Kawaii", "High")
    visitor.fill_in("Sign up")

    picture = visitor.result.get_by_alt_text("Your photo as a plushie in the style Kawaii")
    expect(picture).to_be_visible()
    expect(visitor.result).to_contain_text("1024 × 768 px")
    expect(visitor.result).to_contain_text("Felt preview (built in)")
    expect(visitor.balance).to_have_text("1 credit")
    expect(visitor.toast("Your plushie is here")).to_be_visible()
    picture.evaluate("picture => picture.decode()")
    assert picture.evaluate("picture => [picture.naturalWidth, picture.naturalHeight]") == [1024, 768]

    with page.expect_download() as download:
        visitor.result.get_by_role("link", name="Download").click()
    assert download.value.path().stat().st_size > 0

    page.get_by_role("link", name="Gallery", exact=True).click()
    expect(visitor.tiles).to_have_count(1)
    expect(visitor.tiles).to_contain_text("1024 × 768 px")
    visitor.tiles.get_by_role("button", name="Delete").click()
    expect(visitor.tiles).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(visitor.tiles).to_have_count(1)
    visitor.tiles.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="An empty shelf")).to_be_visible()
    expect(visitor.balance).to_have_text("1 credit")


def test_prices_and_what_will_be_left_are_shown_before_anything_is_spent(member: Visitor) -> None:
    """Every quality names its pixels and its price, and the note says what it leaves."""
    qualities = member.page.locator("quality-choice label")
    expect(qualities).to_contain_text(["Standard 512 px 1 credit", "High 1024 px 2 credits", "Ultra 2048 px 4 credits"])
    note = member.page.locator("price-note")
    expect(note).to_contain_text("Costs 1 credit. 2 credits will be left.")
    member.page.get_by_role("radio", name="Ultra").check()
    expect(note).to_contain_text("Costs 4 credits. You have 3 credits.")


def test_too_few_credits_are_told_with_the_balance_and_nothing_is_made(member: Visitor) -> None:
    """INSUFFICIENT_CREDITS shows what there is, and the photo stays chosen."""
    member.choose(photo())
    member.make(quality="Ultra")
    expect(member.toast("You have 3 credits")).to_be_visible()
    expect(member.page.get_by_alt_text("The photo you chose")).to_be_visible()
    expect(member.balance).to_have_text("3 credits")


def test_a_file_that_is_no_photo_is_refused_before_it_is_sent(member: Visitor) -> None:
    """The page knows which types the server takes."""
    member.drop(b"%PDF-1.7", name="bello.pdf", media_type="application/pdf")
    expect(member.page.get_by_role("alert")).to_contain_text("not a photo we can read. Please use JPEG, PNG, or WebP.")
    expect(member.page.get_by_alt_text("The photo you chose")).to_be_hidden()


def test_a_photo_over_the_limit_is_refused_before_it_is_sent(member: Visitor) -> None:
    """The page knows how large a file may be."""
    member.choose(photo() + bytes(10 * 2**20))
    expect(member.page.get_by_role("alert")).to_have_text("That photo has 10 MB; the limit is 10 MB.")


def test_a_text_file_named_jpg_is_refused_by_the_server_and_costs_nothing(member: Visitor) -> None:
    """What only looks like a photo is INVALID_INPUT."""
    member.choose(b"not a photo at all")
    member.make()
    expect(member.toast("That did not work")).to_be_visible()
    expect(member.balance).to_have_text("3 credits")


def test_without_a_photo_the_button_asks_for_one(member: Visitor) -> None:
    """Nothing is sent, and the file input has the focus."""
    member.make()
    expect(member.page.get_by_label("Photo", exact=True)).to_be_focused()


def test_a_reload_goes_on_waiting(member: Visitor) -> None:
    """Whoever reloads while a plushie is being made sees the same wait, and then the plushie."""
    member.server.grant(member.email, 9)
    member.choose(photo(2400, 1800))
    member.make(quality="Ultra")
    expect(member.balance).to_have_text("8 credits")
    member.page.reload()
    expect(member.waiting).to_be_visible()
    expect(member.result).to_contain_text("2048 × 1536 px")
    expect(member.balance).to_have_text("8 credits")


def test_a_lost_answer_is_asked_for_again_and_charged_once(member: Visitor) -> None:
    """The retry carries the same key: one generation, one charge."""
    keys = lose_first_answer(member.page)
    member.choose(photo())
    member.make()
    expect(member.result).to_be_visible()
    expect(member.balance).to_have_text("2 credits")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(member.tiles).to_have_count(1)


def test_an_expired_session_asks_to_sign_in_and_goes_on(member: Visitor) -> None:
    """UNAUTHORIZED opens the dialog; after it, the plushie is made without another press."""
    member.choose(photo())
    member.page.context.clear_cookies()
    member.make()
    member.fill_in("Sign in")
    expect(member.result).to_be_visible()
    expect(member.balance).to_have_text("2 credits")


def test_a_quality_that_the_model_cannot_deliver_cannot_be_chosen_and_says_why(visitor: Visitor) -> None:
    """The reason is the server's."""

    def without_high(route: Route) -> None:
        catalog = route.fetch().json()
        catalog["qualities"][1] |= {"available": False, "reason": "This model draws at most 512 px."}
        route.fulfill(json=catalog)

    visitor.page.route("**/api/catalog", without_high)
    visitor.visit()
    expect(visitor.page.get_by_role("radio", name="High")).to_be_disabled()
    expect(visitor.page.locator("quality-choice")).to_contain_text("This model draws at most 512 px.")


def lose_first_answer(page: Page) -> list[str]:
    """Let the first submission reach the server, and lose the answer; returns the keys seen, as they come."""
    keys: list[str] = []

    def pass_on(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/generations", pass_on)
    return keys
