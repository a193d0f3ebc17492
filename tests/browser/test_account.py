"""Signing up, in and out on the page."""

from playwright.sync_api import expect

from tests.browser.visitor import Visitor


def test_signing_out_and_in_again(member: Visitor) -> None:
    """The balance is gone with the session, and back with it."""
    member.page.get_by_role("button", name="Account").click()
    member.page.get_by_role("button", name="Sign out").click()
    expect(member.balance).to_be_hidden()
    member.page.get_by_role("button", name="Sign in").first.click()
    member.fill_in("Sign in")
    expect(member.balance).to_have_text("3 credits")


def test_a_session_outlives_a_reload(member: Visitor) -> None:
    """Whoever comes back is still signed in."""
    member.page.reload()
    expect(member.balance).to_have_text("3 credits")


def test_a_wrong_password_is_told_in_the_dialog(member: Visitor) -> None:
    """The dialog stays open, with what was typed."""
    member.page.get_by_role("button", name="Account").click()
    member.page.get_by_role("button", name="Sign out").click()
    member.page.get_by_role("button", name="Sign in").first.click()
    member.fill_in("Sign in", password="not this one at all")
    expect(member.page.get_by_role("alert")).to_contain_text("password")
    expect(member.page.get_by_label("Email")).to_have_value(member.email)
    expect(member.balance).to_be_hidden()


def test_an_address_that_is_taken_is_told_in_the_dialog(member: Visitor) -> None:
    """Nobody gets free credits twice with one address."""
    member.page.get_by_role("button", name="Account").click()
    member.page.get_by_role("button", name="Sign out").click()
    member.page.get_by_role("button", name="Sign in").first.click()
    member.page.get_by_role("button", name="Make an account").click()
    member.fill_in("Sign up")
    expect(member.page.get_by_role("alert")).to_be_visible()
    expect(member.balance).to_be_hidden()


def test_password_managers_are_told_which_password_is_meant(visitor: Visitor) -> None:
    """A new one when signing up, the current one when signing in."""
    visitor.visit()
    visitor.page.get_by_role("button", name="Sign in").first.click()
    expect(visitor.page.get_by_label("Password")).to_have_attribute("autocomplete", "current-password")
    visitor.page.get_by_role("button", name="Make an account").click()
    expect(visitor.page.get_by_label("Password")).to_have_attribute("autocomplete", "new-password")
