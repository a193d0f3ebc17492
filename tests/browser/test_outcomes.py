"""The page's reaction to each way in which a generation can fail."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from plushify_core import Code
from tests.browser.server import Server, serve
from tests.browser.visitor import Visitor, photo

SHOWN_IN = {
    Code.UNAUTHORIZED: "dialog[open]",
    Code.INSUFFICIENT_CREDITS: ".toast[data-kind=error]",
    Code.INVALID_INPUT: ".toast[data-kind=error]",
    Code.GENERATION_FAILED: ".toast[data-kind=error]",
    Code.NOT_FOUND: ".toast[data-kind=error]",
    Code.RATE_LIMITED: ".toast[data-kind=error]",
}
"""Selector of the element in which the page shows each code."""


def refuse_submissions(page: Page, **problem: object) -> None:
    """Answer every submission with a problem that has these members."""
    given = {"detail": "A sentence of the server.", "retryable": False, "charged": False, "balance": None}

    def refuse(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        route.fulfill(
            status=400,
            body=json.dumps({"title": "No", "status": 400, **given, **problem}),
            headers={"Content-Type": "application/problem+json", "Retry-After": "12"},
        )

    page.route("**/api/generations", refuse)


@pytest.mark.parametrize("code", Code)
def test_every_code_is_reported_in_the_words_of_the_server(member: Visitor, code: Code) -> None:
    """For every code the page shows the server's message and stops waiting."""
    refuse_submissions(member.page, code=code)
    member.choose(photo())
    member.make()
    expect(member.page.locator(SHOWN_IN[code])).to_contain_text("A sentence of the server.")
    expect(member.waiting).to_be_hidden()


def test_a_rate_limit_is_reported_with_the_time_to_wait(member: Visitor) -> None:
    """The page shows the seconds of `Retry-After`."""
    refuse_submissions(member.page, code=Code.RATE_LIMITED)
    member.choose(photo())
    member.make()
    expect(member.toast("Please try again in 12 seconds.")).to_be_visible()


@pytest.mark.parametrize(("charged", "says_so"), [(False, True), (True, False), (None, False)])
def test_the_page_says_not_charged_only_if_it_is_certain(member: Visitor, charged: bool | None, says_so: bool) -> None:
    """The page never promises a refund that the server has not committed."""
    refuse_submissions(member.page, code=Code.GENERATION_FAILED, charged=charged)
    member.choose(photo())
    member.make()
    toast = member.toast("No plushie this time")
    expect(toast).to_be_visible()
    assert ("You were not charged." in toast.inner_text()) == says_so


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve with a generation timeout of one second."""
    settings = {"generation_timeout_s": "1", "free_credits": "4", "buy_credits_url": "https://example.org/credits"}
    with serve(tmp_path_factory.mktemp("impatient"), **settings) as server:
        yield server


def test_a_timeout_is_reported_and_refunded(new_page: Callable[[Server], Page], impatient_server: Server) -> None:
    """Notification, gallery and details say that nothing was charged, and the balance is what it was."""
    visitor = Visitor.new(new_page(impatient_server), impatient_server)
    visitor.visit()
    visitor.sign_up()
    visitor.choose(photo(2400, 1800))
    visitor.make(quality="Ultra")
    expect(visitor.toast("No plushie this time")).to_contain_text("You were not charged.")
    expect(visitor.balance).to_have_text("4 credits")
    visitor.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(visitor.tiles).to_contain_text("You were not charged.")
    visitor.tiles.get_by_role("link").click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("You were not charged.")
    expect(dialog.get_by_alt_text("The original photo")).to_be_visible()
    expect(dialog.get_by_alt_text("The plushie")).to_be_hidden()
    expect(dialog.get_by_role("link", name="Download")).to_be_hidden()


def test_running_out_of_credits_shows_where_to_buy_them(
    new_page: Callable[[Server], Page], impatient_server: Server
) -> None:
    """The notification links to the operator's address for buying credits."""
    visitor = Visitor.new(new_page(impatient_server), impatient_server)
    visitor.visit()
    visitor.sign_up()
    refuse_submissions(visitor.page, code=Code.INSUFFICIENT_CREDITS, balance=0)
    visitor.choose(photo())
    visitor.make()
    link = visitor.toast("You have 0 credits").get_by_role("link", name="Get more credits")
    expect(link).to_have_attribute("href", "https://example.org/credits")
    expect(visitor.balance).to_have_text("0 credits")
