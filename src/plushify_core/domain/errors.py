"""Errors that the use cases raise.

PlushifyError                                code                   typical reasons
├── Unauthorized                             UNAUTHORIZED           sign_in_required, wrong_password, …
├── InsufficientCredits                      INSUFFICIENT_CREDITS   balance_too_low
├── InvalidInput                             INVALID_INPUT          unsupported_image_format, image_too_large, …
├── GenerationFailed                         GENERATION_FAILED      content_policy, timeout, interrupted, …
├── NotFound                                 NOT_FOUND              not_found
└── RateLimited                              RATE_LIMITED           too_many_in_flight, server_busy, …

The errors that ports raise, such as `ModelError`, are defined beside their port. The use cases turn them into a failed
generation.
"""

from enum import StrEnum
from typing import ClassVar, Self


class Code(StrEnum):
    """Stable code of an error: the first thing a program checks."""

    UNAUTHORIZED = "UNAUTHORIZED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    INVALID_INPUT = "INVALID_INPUT"
    GENERATION_FAILED = "GENERATION_FAILED"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"


class Reason(StrEnum):
    """Machine-readable reason within a code."""

    message: str
    """Sentence that a user can act on."""

    def __new__(cls, value: str, message: str) -> Self:
        """Create a member from its value and its message."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.message = message
        return member

    SIGN_IN_REQUIRED = "sign_in_required", "Please sign in first."
    WRONG_PASSWORD = "wrong_password", "The email address or the password is wrong."

    BALANCE_TOO_LOW = "balance_too_low", "You do not have enough credits for this picture."

    INVALID_REQUEST = "invalid_request", "The request is not in the form this address expects."
    INVALID_EMAIL = "invalid_email", "This does not look like an email address."
    EMAIL_TAKEN = "email_taken", "There is an account with this email address already. Sign in instead."
    PASSWORD_TOO_SHORT = "password_too_short", "Choose a longer password."
    PASSWORD_TOO_LONG = "password_too_long", "Choose a shorter password."
    INVALID_CURSOR = "invalid_cursor", "This page of the list does not exist. Start again from the first page."
    INVALID_CREDITS = "invalid_credits", "Credits are moved in whole numbers, one at least."
    UNKNOWN_STYLE = "unknown_style", "This style is not in the catalog."
    UNKNOWN_QUALITY = "unknown_quality", "This quality is not in the catalog."
    QUALITY_UNAVAILABLE = "quality_unavailable", "The image model cannot draw this quality. Choose a smaller one."
    IMAGE_MISSING = "image_missing", "Choose a photo first."
    IMAGE_EMPTY = "image_empty", "The file is empty. Choose another photo."
    IMAGE_TOO_LARGE = "image_too_large", "The file is too large. Choose a smaller photo."
    IMAGE_TOO_SMALL = "image_too_small", "The photo is too small to make a plushie of. Choose a larger one."
    IMAGE_TOO_MANY_PIXELS = "image_too_many_pixels", "The photo has too many pixels. Make it smaller and try again."
    IMAGE_CORRUPT = "image_corrupt", "The photo is damaged or cut off. Choose another file."
    IMAGE_ANIMATED = "image_animated", "The picture is animated. Choose a still photo."
    UNSUPPORTED_IMAGE_FORMAT = (
        "unsupported_image_format",
        "This is not a photo we can read. Use a JPEG, PNG or WebP file.",
    )
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid", "An idempotency key has 1 to 255 visible characters."
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        "This idempotency key was used for another request. Use a new one.",
    )
    GENERATION_UNFINISHED = "generation_unfinished", "This plushie is still being made. Wait until it is done."
    UNDO_WINDOW_OVER = "undo_window_over", "It is too late to bring this plushie back."

    CONTENT_POLICY = "content_policy", "The image model refuses this photo. Try another one."
    TIMEOUT = "timeout", "The plushie took too long. Please try again."
    INTERRUPTED = "interrupted", "Making the plushie was interrupted. Please try again."
    MODEL_UNAVAILABLE = "model_unavailable", "The image model cannot be reached right now. Please try again later."
    MODEL_REFUSED_INPUT = "model_refused_input", "The image model could not work with this photo. Try another one."
    NO_PICTURE = "no_picture", "The image model answered without a picture. Please try again."
    STORAGE_UNAVAILABLE = "storage_unavailable", "Pictures cannot be stored right now. Please try again later."
    INTERNAL = "internal", "Something went wrong on our side. Please try again."

    NOT_FOUND = "not_found", "There is nothing here."

    TOO_MANY_IN_FLIGHT = "too_many_in_flight", "Wait until one of your plushies is done, then start the next."
    TOO_MANY_REQUESTS = "too_many_requests", "Too many requests. Please wait a moment."
    SERVER_BUSY = "server_busy", "Many plushies are being made right now. Please try again in a moment."


MESSAGES = {reason: reason.message for reason in Reason}
"""Message of each reason."""


class PlushifyError(Exception):
    """Base class of every error that a use case raises.

    Args:
        reason: machine-readable reason.
        message: sentence that a user can act on. Defaults to the message of the reason.
        retryable: whether the same request may succeed later.
        balance: balance of the user in credits, if known.
        retry_after_s: seconds to wait before the next try, if known.
    """

    code: ClassVar[Code]
    default_reason: ClassVar[Reason]

    def __init__(
        self,
        reason: Reason | None = None,
        message: str | None = None,
        *,
        retryable: bool = False,
        balance: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.reason = reason or self.default_reason
        self.message = message or self.reason.message
        self.retryable = retryable
        self.balance = balance
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.code}: {self.reason}: {self.message}")


class Unauthorized(PlushifyError):
    """Missing or wrong credentials."""

    code = Code.UNAUTHORIZED
    default_reason = Reason.SIGN_IN_REQUIRED


class InsufficientCredits(PlushifyError):
    """Balance lower than the price. No credits were taken."""

    code = Code.INSUFFICIENT_CREDITS
    default_reason = Reason.BALANCE_TOO_LOW


class InvalidInput(PlushifyError):
    """Request that cannot be carried out. No credit moved and nothing was stored."""

    code = Code.INVALID_INPUT
    default_reason = Reason.INVALID_REQUEST


class GenerationFailed(PlushifyError):
    """Generation without a picture. `charged` is False only after the refund is committed."""

    code = Code.GENERATION_FAILED
    default_reason = Reason.INTERNAL

    def __init__(
        self,
        reason: Reason | None = None,
        message: str | None = None,
        *,
        charged: bool,
        retryable: bool = True,
        balance: int | None = None,
    ) -> None:
        super().__init__(reason, message, retryable=retryable, balance=balance)
        self.charged = charged


class NotFound(PlushifyError):
    """Object that does not exist or belongs to another user. The two cases look the same to the caller."""

    code = Code.NOT_FOUND
    default_reason = Reason.NOT_FOUND


class RateLimited(PlushifyError):
    """Too many requests at once. `retry_after_s` is the number of seconds to wait."""

    code = Code.RATE_LIMITED
    default_reason = Reason.TOO_MANY_REQUESTS

    def __init__(self, reason: Reason | None = None, message: str | None = None, *, retry_after_s: int) -> None:
        super().__init__(reason, message, retryable=True, retry_after_s=retry_after_s)
