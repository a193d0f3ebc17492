"""What the page does about each way a plushie can fail to come."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from plushify_core import Code
from tests.browser.server import Server, serve
from tests.browser.visitor import Visitor, photo

TOLD_BY = {
    Code.UNAUTHORIZED: "dialog[open]",
    Code.INSUFFICIENT_CREDITS: ".toast[data-kind=error]",
    Code.INVALID_INPUT: ".toast[data-kind=error]",
    Code.GENERATION_FAILED: ".toast[data-kind=error]",
    Code.NOT_FOUND: ".toast[data-kind=error]",
    Code.RATE_LIMITED: ".toast[data-kind=error]",
}


def refuse_submissions(page: Page, **problem: object) -> None:
    """Answer every submission with this problem."""
    given = {"detail": "Told by the server.", "retryable": False, "charged": False, "balance": None}

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
def test_every_code_is_told_in_the_words_of_the_server(member: Visitor, code: Code) -> None:
    """No code ends in silence, and none leaves the page waiting."""
    refuse_submissions(member.page, code=code)
    member.choose(photo())
    member.make()
    expect(member.page.locator(TOLD_BY[code])).to_contain_text("Told by the server.")
    expect(member.waiting).to_be_hidden()


def test_too_many_requests_are_told_with_when_to_try_again(member: Visitor) -> None:
    """The time is that of `Retry-After`."""
    refuse_submissions(member.page, code=Code.RATE_LIMITED)
    member.choose(photo())
    member.make()
    expect(member.toast("Please try again in 12 seconds.")).to_be_visible()


@pytest.mark.parametrize(("charged", "said"), [(False, True), (True, False), (None, False)])
def test_not_charged_is_said_only_where_it_is_certain(member: Visitor, charged: bool | None, said: bool) -> None:
    """The page never promises a refund that the server has not committed."""
    refuse_submissions(member.page, code=Code.GENERATION_FAILED, charged=charged)
    member.choose(photo())
    member.make()
    toast = member.toast("No plushie this time")
    expect(toast).to_be_visible()
    assert ("You were not charged." in toast.inner_text()) == said


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives a plushie one second."""
    settings = {"generation_timeout_s": "1", "free_credits": "4", "buy_credits_url": "https://example.org/credits"}
    with serve(tmp_path_factory.mktemp("hasty"), **settings) as server:
        yield server


def test_a_plushie_that_takes_too_long_is_told_and_refunded(
    new_page: Callable[[Server], Page], hasty_server: Server
) -> None:
    """Toast, note and gallery say that nothing was charged, and the balance shows it."""
    visitor = Visitor.new(new_page(hasty_server), hasty_server)
    visitor.visit()
    visitor.sign_up()
    visitor.choose(photo(2400, 1800))
    visitor.make(quality="Ultra")
    expect(visitor.toast("No plushie this time")).to_contain_text("You were not charged.")
    expect(visitor.balance).to_have_text("4 credits")
    visitor.page.get_by_role("link", name="Gallery", exact=True).click()
    expect(visitor.tiles).to_contain_text("You were not charged.")


def test_whoever_runs_out_of_credits_is_shown_where_to_buy_them(
    new_page: Callable[[Server], Page], hasty_server: Server
) -> None:
    """The link is the operator's, and appears once the balance does not suffice."""
    visitor = Visitor.new(new_page(hasty_server), hasty_server)
    visitor.visit()
    visitor.sign_up()
    refuse_submissions(visitor.page, code=Code.INSUFFICIENT_CREDITS, balance=0)
    visitor.choose(photo())
    visitor.make()
    link = visitor.toast("You have 0 credits").get_by_role("link", name="Get more credits")
    expect(link).to_have_attribute("href", "https://example.org/credits")
    expect(visitor.balance).to_have_text("0 credits")
