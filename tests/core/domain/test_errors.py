"""The errors that users meet."""

import inspect
import re

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
    """The exceptions that the module defines."""
    return [
        error
        for _, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, Exception) and error.__module__ == errors.__name__
    ]


def test_every_reason_has_a_sentence() -> None:
    """A user is told in words what happened, whatever it is."""
    assert set(MESSAGES) == set(Reason)
    assert [reason for reason, message in MESSAGES.items() if not re.fullmatch(r"[A-Z].*\.", message)] == []


def test_the_tree_is_whole() -> None:
    """The drawing at the top of the module names every error, and the code of each."""
    assert errors.__doc__ is not None
    words = set(re.findall(r"\w+", errors.__doc__))

    assert {error.__name__ for error in public_errors()} <= words
    assert {code.value for code in Code} <= words


def test_every_code_has_an_error() -> None:
    """What the tree promises exists: one error per code, with a reason of its own."""
    concrete = PlushifyError.__subclasses__()

    assert {error.code for error in concrete} == set(Code)
    assert len(concrete) == len(Code)
    assert all(error.default_reason in Reason for error in concrete)


def test_defaults() -> None:
    """An error without a reason has its code's own, and is not worth a retry."""
    error = NotFound()

    assert (error.reason, error.message, error.retryable) == (Reason.NOT_FOUND, "There is nothing here.", False)
    assert str(error) == "NOT_FOUND: not_found: There is nothing here."


def test_what_errors_carry() -> None:
    """Balance, charge and waiting time reach the user where they are known."""
    assert InsufficientCredits(balance=2).balance == 2
    assert RateLimited(retry_after_s=7).retry_after_s == 7
    assert RateLimited(retry_after_s=7).retryable
    assert not GenerationFailed(Reason.TIMEOUT, charged=False).charged
    assert GenerationFailed(Reason.TIMEOUT, charged=False).retryable


@pytest.mark.parametrize(("reason", "policy"), [(Reason.CONTENT_POLICY, True), (Reason.NO_PICTURE, False)])
def test_model_error(reason: Reason, policy: bool) -> None:
    """An adapter's error tells policy from trouble, and what is known of the bill."""
    error = ModelError(reason, "detail", retryable=False, billing=Billing.BILLED)

    assert (error.policy, error.billing, error.facts) == (policy, Billing.BILLED, ModelFacts())
