"""Signing up, signing in and signing out on the page."""

from playwright.sync_api import expect

from tests.browser.visitor import Visitor


def test_signing_out_and_in_again(member: Visitor) -> None:
    """The balance disappears at sign-out and is shown again after sign-in."""
    member.page.get_by_role("button", name="Account").click()
    member.page.get_by_role("button", name="Sign out").click()
    expect(member.balance).to_be_hidden()
    member.page.get_by_role("button", name="Sign in").first.click()
    member.fill_in("Sign in")
    expect(member.balance).to_have_text("3 credits")


def test_a_session_survives_a_reload(member: Visitor) -> None:
    """The user is still signed in after the page is loaded again."""
    member.page.reload()
    expect(member.balance).to_have_text("3 credits")


def test_the_dialog_reports_a_wrong_password(member: Visitor) -> None:
    """The dialog stays open and keeps the email address, and the user is not signed in."""
    member.page.get_by_role("button", name="Account").click()
    member.page.get_by_role("button", name="Sign out").click()
    member.page.get_by_role("button", name="Sign in").first.click()
    member.fill_in("Sign in", password="not this one at all")
    expect(member.page.get_by_role("alert")).to_contain_text("password")
    expect(member.page.get_by_label("Email")).to_have_value(member.email)
    expect(member.balance).to_be_hidden()


def test_the_dialog_reports_an_address_that_is_taken(member: Visitor) -> None:
    """One address cannot sign up twice and get the free credits twice."""
    member.page.get_by_role("button", name="Account").click()
    member.page.get_by_role("button", name="Sign out").click()
    member.page.get_by_role("button", name="Sign in").first.click()
    member.page.get_by_role("button", name="Make an account").click()
    member.fill_in("Sign up")
    expect(member.page.get_by_role("alert")).to_be_visible()
    expect(member.balance).to_be_hidden()


def test_the_password_field_tells_password_managers_its_purpose(visitor: Visitor) -> None:
    """The field asks for a new password at sign-up and for the current one at sign-in."""
    visitor.visit()
    visitor.page.get_by_role("button", name="Sign in").first.click()
    expect(visitor.page.get_by_label("Password")).to_have_attribute("autocomplete", "current-password")
    visitor.page.get_by_role("button", name="Make an account").click()
    expect(visitor.page.get_by_label("Password")).to_have_attribute("autocomplete", "new-password")
