"""Making a plushie on the page."""

from playwright.sync_api import Page, Route, expect

from plushify_core import DEFAULT_CATALOG
from tests.browser.visitor import Visitor, photo


def test_the_whole_journey_from_sign_up_to_deletion(visitor: Visitor) -> None:
    """A visitor drops a photo, signs up, and can see, download, delete, restore and delete the plushie."""
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


def test_the_price_and_the_remaining_credits_are_shown_before_submission(member: Visitor) -> None:
    """Every quality shows its pixels and its price, and the note says how many credits will be left."""
    qualities = member.page.locator("quality-choice label")
    expect(qualities).to_contain_text(["Standard 512 px 1 credit", "High 1024 px 2 credits", "Ultra 2048 px 4 credits"])
    note = member.page.locator("price-note")
    expect(note).to_contain_text("Costs 1 credit. 2 credits will be left.")
    member.page.get_by_role("radio", name="Ultra").check()
    expect(note).to_contain_text("Costs 4 credits. You have 3 credits.")


def test_too_few_credits_are_reported_with_the_balance(member: Visitor) -> None:
    """On INSUFFICIENT_CREDITS the page shows the balance, keeps the photo, and nothing is charged."""
    member.choose(photo())
    member.make(quality="Ultra")
    expect(member.toast("You have 3 credits")).to_be_visible()
    expect(member.page.get_by_alt_text("The photo you chose")).to_be_visible()
    expect(member.balance).to_have_text("3 credits")


def test_a_file_of_another_type_is_refused_before_it_is_sent(member: Visitor) -> None:
    """The page knows which media types the server accepts."""
    member.drop(b"%PDF-1.7", name="bello.pdf", media_type="application/pdf")
    expect(member.page.get_by_role("alert")).to_contain_text("not a photo we can read. Please use JPEG, PNG, or WebP.")
    expect(member.page.get_by_alt_text("The photo you chose")).to_be_hidden()


def test_a_photo_over_the_limit_is_refused_before_it_is_sent(member: Visitor) -> None:
    """The page knows how large a file the server accepts."""
    member.choose(photo() + bytes(10 * 2**20))
    expect(member.page.get_by_role("alert")).to_have_text("That photo has 10 MB; the limit is 10 MB.")


def test_a_text_file_named_jpg_is_refused_by_the_server_and_costs_nothing(member: Visitor) -> None:
    """A file that is a photo only by its name is INVALID_INPUT."""
    member.choose(b"not a photo at all")
    member.make()
    expect(member.toast("That did not work")).to_be_visible()
    expect(member.balance).to_have_text("3 credits")


def test_submitting_without_a_photo_focuses_the_file_input(member: Visitor) -> None:
    """The browser's own validation stops the form."""
    member.make()
    expect(member.page.get_by_label("Photo", exact=True)).to_be_focused()


def test_a_reload_resumes_the_wait(member: Visitor) -> None:
    """After a reload during a generation the page waits for it again, and then shows the plushie."""
    member.server.grant(member.email, 9)
    member.choose(photo(2400, 1800))
    member.make(quality="Ultra")
    expect(member.balance).to_have_text("8 credits")
    member.page.reload()
    expect(member.waiting).to_be_visible()
    expect(member.result).to_contain_text("2048 × 1536 px")
    expect(member.balance).to_have_text("8 credits")


def test_a_lost_response_is_retried_and_charged_once(member: Visitor) -> None:
    """The retry carries the same idempotency key: one generation, one charge."""
    keys = lose_first_response(member.page)
    member.choose(photo())
    member.make()
    expect(member.result).to_be_visible()
    expect(member.balance).to_have_text("2 credits")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    member.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(member.tiles).to_have_count(1)


def test_an_expired_session_asks_to_sign_in_and_continues(member: Visitor) -> None:
    """UNAUTHORIZED opens the dialog; after signing in, the plushie is made without submitting again."""
    member.choose(photo())
    member.page.context.clear_cookies()
    member.make()
    member.fill_in("Sign in")
    expect(member.result).to_be_visible()
    expect(member.balance).to_have_text("2 credits")


def test_a_quality_that_the_model_cannot_deliver_is_disabled_with_the_reason(visitor: Visitor) -> None:
    """The page shows the reason that the server gives."""

    def without_high(route: Route) -> None:
        catalog = route.fetch().json()
        catalog["qualities"][1] |= {"available": False, "reason": "This model draws at most 512 px."}
        route.fulfill(json=catalog)

    visitor.page.route("**/api/catalog", without_high)
    visitor.visit()
    expect(visitor.page.get_by_role("radio", name="High")).to_be_disabled()
    expect(visitor.page.locator("quality-choice")).to_contain_text("This model draws at most 512 px.")


def test_every_default_style_shows_its_own_drawing(visitor: Visitor) -> None:
    """Each style of the default catalog is shown with the drawing named after it, and the browser can display it."""
    visitor.visit()
    drawings = visitor.page.locator("style-choice img")
    for drawing in drawings.all():
        drawing.evaluate("drawing => drawing.decode()")
    addresses = drawings.evaluate_all("drawings => drawings.map(drawing => drawing.getAttribute('src'))")
    assert addresses == [f"/static/art/styles/{style.id}.svg" for style in DEFAULT_CATALOG.styles]


def test_a_style_that_the_operator_added_shows_the_neutral_drawing(visitor: Visitor) -> None:
    """A style without a drawing of its own does not borrow the one of another style."""

    def with_custom_style(route: Route) -> None:
        catalog = route.fetch().json()
        catalog["styles"][1] |= {"id": "origami", "name": "Origami"}
        route.fulfill(json=catalog)

    visitor.page.route("**/api/catalog", with_custom_style)
    visitor.visit()
    drawing = visitor.page.locator("style-choice label", has_text="Origami").locator("img")
    expect(drawing).to_have_attribute("src", "/static/art/custom-style.svg")
    drawing.evaluate("drawing => drawing.decode()")


def lose_first_response(page: Page) -> list[str]:
    """Let the first submission reach the server but lose its response; return a list that fills with the keys sent."""
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
