"""Errors: their codes, reasons, messages and attributes."""

import inspect
import re

import msgspec
import pytest

from plushify_core import (
    MESSAGES,
    Billing,
    Code,
    GenerationFailed,
    InsufficientCredits,
    ModelError,
    ModelFacts,
    NotFound,
    PlushifyError,
    RateLimited,
    Reason,
)
from plushify_core.domain import errors


def public_errors() -> list[type[Exception]]:
    """Return the exceptions that the module defines."""
    return [
        error
        for _, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, Exception) and error.__module__ == errors.__name__
    ]


def test_every_reason_has_a_sentence() -> None:
    """The message of every reason is a sentence."""
    assert set(MESSAGES) == set(Reason)
    assert [reason for reason, message in MESSAGES.items() if not re.fullmatch(r"[A-Z].*\.", message)] == []


@pytest.mark.parametrize("reason", Reason)
def test_members_carry_their_messages(reason: Reason) -> None:
    """A reason equals its value, and carries its message."""
    assert reason == reason.value == str(reason)
    assert reason.message == MESSAGES[reason]
    assert reason.message != reason.value


def test_lookup_by_value() -> None:
    """A reason is found by its value. An unknown value is an error."""
    assert Reason("timeout") is Reason.TIMEOUT
    with pytest.raises(ValueError, match="too_tired"):
        Reason("too_tired")


@pytest.mark.parametrize("reason", Reason)
def test_reasons_in_json(reason: Reason) -> None:
    """A reason is a plain string in JSON, and is decoded to the same member."""
    encoded = msgspec.json.encode(reason)

    assert encoded == f'"{reason.value}"'.encode()
    assert msgspec.json.decode(encoded, type=Reason) is reason


def test_unknown_reason_in_json() -> None:
    """JSON with an unknown reason is refused."""
    with pytest.raises(msgspec.ValidationError, match="too_tired"):
        msgspec.json.decode(b'"too_tired"', type=Reason)


def test_the_tree_is_complete() -> None:
    """The tree in the docstring of the module names every error and every code."""
    assert errors.__doc__ is not None
    words = set(re.findall(r"\w+", errors.__doc__))

    assert {error.__name__ for error in public_errors()} <= words
    assert {code.value for code in Code} <= words


def test_every_code_has_an_error() -> None:
    """Each code has exactly one error, which has a default reason."""
    concrete = PlushifyError.__subclasses__()

    assert {error.code for error in concrete} == set(Code)
    assert len(concrete) == len(Code)
    assert all(error.default_reason in Reason for error in concrete)


def test_defaults() -> None:
    """An error without arguments has the default reason of its class and its message, and is not retryable."""
    error = NotFound()

    assert (error.reason, error.message, error.retryable) == (Reason.NOT_FOUND, "There is nothing here.", False)
    assert str(error) == "NOT_FOUND: not_found: There is nothing here."


def test_attributes() -> None:
    """Errors carry the balance, the charge and the waiting time."""
    assert InsufficientCredits(balance=2).balance == 2
    assert RateLimited(retry_after_s=7).retry_after_s == 7
    assert RateLimited(retry_after_s=7).retryable
    assert not GenerationFailed(Reason.TIMEOUT, charged=False).charged
    assert GenerationFailed(Reason.TIMEOUT, charged=False).retryable


@pytest.mark.parametrize(("reason", "policy"), [(Reason.CONTENT_POLICY, True), (Reason.NO_PICTURE, False)])
def test_model_error(reason: Reason, policy: bool) -> None:
    """A model error tells whether the content was refused, and whether the call is billed."""
    error = ModelError(reason, "detail", retryable=False, billing=Billing.BILLED)

    assert (error.policy, error.billing, error.facts) == (policy, Billing.BILLED, ModelFacts())
