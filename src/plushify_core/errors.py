"""Every error Plushify tells anyone about.

PlushifyError                                code                   typical reasons
├── Unauthorized                             UNAUTHORIZED           sign_in_required, wrong_password, …
├── InsufficientCredits                      INSUFFICIENT_CREDITS   balance_too_low
├── InvalidInput                             INVALID_INPUT          unsupported_image_format, image_too_large, …
├── GenerationFailed                         GENERATION_FAILED      content_policy, timeout, interrupted, …
├── NotFound                                 NOT_FOUND              not_found
└── RateLimited                              RATE_LIMITED           too_many_in_flight, server_busy, …

ModelError and BlobMissing are what the ports `ImageModel` and `BlobStore` raise. The use cases turn them into
a failed generation, so nobody outside the hexagon sees them.
"""

from enum import StrEnum
from typing import ClassVar

from plushify_core.model_call import Billing, ModelFacts


class Code(StrEnum):
    """The stable code of an error: what a program switches on first."""

    UNAUTHORIZED = "UNAUTHORIZED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    INVALID_INPUT = "INVALID_INPUT"
    GENERATION_FAILED = "GENERATION_FAILED"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"


class Reason(StrEnum):
    """Why, within a code. `MESSAGES` holds a sentence for each that a user can act on."""

    SIGN_IN_REQUIRED = "sign_in_required"
    WRONG_PASSWORD = "wrong_password"

    BALANCE_TOO_LOW = "balance_too_low"

    INVALID_REQUEST = "invalid_request"
    INVALID_EMAIL = "invalid_email"
    EMAIL_TAKEN = "email_taken"
    PASSWORD_TOO_SHORT = "password_too_short"
    PASSWORD_TOO_LONG = "password_too_long"
    INVALID_CURSOR = "invalid_cursor"
    INVALID_CREDITS = "invalid_credits"
    UNKNOWN_STYLE = "unknown_style"
    UNKNOWN_QUALITY = "unknown_quality"
    QUALITY_UNAVAILABLE = "quality_unavailable"
    IMAGE_MISSING = "image_missing"
    IMAGE_EMPTY = "image_empty"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    IMAGE_TOO_MANY_PIXELS = "image_too_many_pixels"
    IMAGE_CORRUPT = "image_corrupt"
    IMAGE_ANIMATED = "image_animated"
    UNSUPPORTED_IMAGE_FORMAT = "unsupported_image_format"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    GENERATION_UNFINISHED = "generation_unfinished"
    UNDO_WINDOW_OVER = "undo_window_over"

    CONTENT_POLICY = "content_policy"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_REFUSED_INPUT = "model_refused_input"
    NO_PICTURE = "no_picture"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL = "internal"

    NOT_FOUND = "not_found"

    TOO_MANY_IN_FLIGHT = "too_many_in_flight"
    TOO_MANY_REQUESTS = "too_many_requests"
    SERVER_BUSY = "server_busy"


MESSAGES: dict[Reason, str] = {
    Reason.SIGN_IN_REQUIRED: "Please sign in first.",
    Reason.WRONG_PASSWORD: "The email address or the password is wrong.",
    Reason.BALANCE_TOO_LOW: "You do not have enough credits for this picture.",
    Reason.INVALID_REQUEST: "The request is not in the form this address expects.",
    Reason.INVALID_EMAIL: "This does not look like an email address.",
    Reason.EMAIL_TAKEN: "There is an account with this email address already. Sign in instead.",
    Reason.PASSWORD_TOO_SHORT: "Choose a longer password.",
    Reason.PASSWORD_TOO_LONG: "Choose a shorter password.",
    Reason.INVALID_CURSOR: "This page of the list does not exist. Start again from the first page.",
    Reason.INVALID_CREDITS: "Credits are moved in whole numbers, one at least.",
    Reason.UNKNOWN_STYLE: "This style is not in the catalog.",
    Reason.UNKNOWN_QUALITY: "This quality is not in the catalog.",
    Reason.QUALITY_UNAVAILABLE: "The image model cannot draw this quality. Choose a smaller one.",
    Reason.IMAGE_MISSING: "Choose a photo first.",
    Reason.IMAGE_EMPTY: "The file is empty. Choose another photo.",
    Reason.IMAGE_TOO_LARGE: "The file is too large. Choose a smaller photo.",
    Reason.IMAGE_TOO_SMALL: "The photo is too small to make a plushie of. Choose a larger one.",
    Reason.IMAGE_TOO_MANY_PIXELS: "The photo has too many pixels. Make it smaller and try again.",
    Reason.IMAGE_CORRUPT: "The photo is damaged or cut off. Choose another file.",
    Reason.IMAGE_ANIMATED: "The picture is animated. Choose a still photo.",
    Reason.UNSUPPORTED_IMAGE_FORMAT: "This is not a photo we can read. Use a JPEG, PNG or WebP file.",
    Reason.IDEMPOTENCY_KEY_INVALID: "An idempotency key has 1 to 255 visible characters.",
    Reason.IDEMPOTENCY_KEY_REUSED: "This idempotency key was used for another request. Use a new one.",
    Reason.GENERATION_UNFINISHED: "This plushie is still being made. Wait until it is done.",
    Reason.UNDO_WINDOW_OVER: "It is too late to bring this plushie back.",
    Reason.CONTENT_POLICY: "The image model refuses this photo. Try another one.",
    Reason.TIMEOUT: "The plushie took too long. Please try again.",
    Reason.INTERRUPTED: "Making the plushie was interrupted. Please try again.",
    Reason.MODEL_UNAVAILABLE: "The image model cannot be reached right now. Please try again later.",
    Reason.MODEL_REFUSED_INPUT: "The image model could not work with this photo. Try another one.",
    Reason.NO_PICTURE: "The image model answered without a picture. Please try again.",
    Reason.STORAGE_UNAVAILABLE: "Pictures cannot be stored right now. Please try again later.",
    Reason.INTERNAL: "Something went wrong on our side. Please try again.",
    Reason.NOT_FOUND: "There is nothing here.",
    Reason.TOO_MANY_IN_FLIGHT: "Wait until one of your plushies is done, then start the next.",
    Reason.TOO_MANY_REQUESTS: "Too many requests. Please wait a moment.",
    Reason.SERVER_BUSY: "Many plushies are being made right now. Please try again in a moment.",
}


class PlushifyError(Exception):
    """The base of every error a caller of the use cases can meet.

    Args:
        reason: why, for programs.
        message: a sentence a user can act on; the reason's own when left out.
        retryable: whether the same request may succeed later.
        balance: the user's balance in credits, where it is known.
        retry_after_s: seconds to wait before the next try, where it is known.
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
        self.message = message or MESSAGES[self.reason]
        self.retryable = retryable
        self.balance = balance
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.code}: {self.reason}: {self.message}")


class Unauthorized(PlushifyError):
    """Nobody is signed in, or the proof of who it is does not hold."""

    code = Code.UNAUTHORIZED
    default_reason = Reason.SIGN_IN_REQUIRED


class InsufficientCredits(PlushifyError):
    """The balance does not cover the price. Nothing was taken."""

    code = Code.INSUFFICIENT_CREDITS
    default_reason = Reason.BALANCE_TOO_LOW


class InvalidInput(PlushifyError):
    """The request cannot be carried out as it stands. No credit moved, nothing was stored."""

    code = Code.INVALID_INPUT
    default_reason = Reason.INVALID_REQUEST


class GenerationFailed(PlushifyError):
    """There is no picture. `charged` is false once the refund is committed, and only then."""

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
    """It does not exist, or belongs to somebody else, which is the same to the one who asks."""

    code = Code.NOT_FOUND
    default_reason = Reason.NOT_FOUND


class RateLimited(PlushifyError):
    """Too much at once. `retry_after_s` says when to come back."""

    code = Code.RATE_LIMITED
    default_reason = Reason.TOO_MANY_REQUESTS

    def __init__(self, reason: Reason | None = None, message: str | None = None, *, retry_after_s: int) -> None:
        super().__init__(reason, message, retryable=True, retry_after_s=retry_after_s)


class ModelError(Exception):
    """The image model gave no picture.

    Args:
        reason: one of the reasons of `GenerationFailed`.
        detail: what happened, for the operator's log; never shown to the user.
        retryable: whether the user may succeed with the same photo later. An adapter has made its own
            retries before it raises.
        billing: whether the provider takes money for the call.
        facts: what is known of the call.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        retryable: bool,
        billing: Billing,
        facts: ModelFacts | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retryable = retryable
        self.billing = billing
        self.facts = facts or ModelFacts()

    @property
    def policy(self) -> bool:
        """Whether the content of the photo was refused."""
        return self.reason is Reason.CONTENT_POLICY


class BlobMissing(Exception):
    """No blob has this key."""
