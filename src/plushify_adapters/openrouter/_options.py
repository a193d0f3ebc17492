"""Options of the adapter."""

from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

import msgspec


class Api(StrEnum):
    """API of OpenRouter that generates a picture.

    `CHAT` has fallback models and privacy preferences per request, but bills a call that the client abandons.
    `IMAGES` has neither, and does not bill calls that fail or are abandoned.
    """

    CHAT = "chat"
    IMAGES = "images"


class OpenRouterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `OpenRouterModel`.

    Args:
        base_url: Base URL of the API; change it for a proxy or an emulator.
        api: API that generates the picture.
        model: Id of the image model.
        fallback_models: Ids of the models to try in order if the first one is down (chat only).
        data_collection: `deny` excludes providers that may store the photo or train on it; None applies the
            account's preference (chat only).
        zero_data_retention: Whether to use only providers that retain no data (chat only).
        app_url: URL of this application, for OpenRouter's public statistics.
        app_title: Name of this application, for OpenRouter's public statistics.
        largest_side_px: Longest side that the model can draw, in pixels; overrides the models API.
        max_answer_bytes: Largest response body, or picture fetched from a URL, that is accepted.
        max_attempts: Maximum number of calls for one picture, the first one included.
        first_pause_s: Pause before the first retry in seconds, if the response names none; doubled for each attempt.
        connect_timeout_s: Timeout for connecting, in seconds.
        models_api_timeout_s: Timeout of a request for details of the model or the key, in seconds.
        models_api_ttl_s: Time for which details of the model are cached, in seconds.
        private_image_hosts: Whether to fetch pictures also from private hosts and over plain HTTP. Meant for a
            gateway in one's own network.
    """

    base_url: str = "https://openrouter.ai/api/v1"
    api: Api = Api.CHAT
    model: str = "google/gemini-2.5-flash-image"
    fallback_models: tuple[str, ...] = ()
    data_collection: Literal["allow", "deny"] | None = "deny"
    zero_data_retention: bool = False
    app_url: str | None = None
    app_title: str = "Plushify"
    largest_side_px: int | None = None
    max_answer_bytes: int = 48 * 1024 * 1024
    max_attempts: int = 4
    first_pause_s: float = 0.5
    connect_timeout_s: float = 10.0
    models_api_timeout_s: float = 5.0
    models_api_ttl_s: float = 3600.0
    private_image_hosts: bool = False

    def __post_init__(self) -> None:
        base_url = urlsplit(self.base_url)
        if base_url.scheme not in {"https", "http"} or not base_url.hostname or base_url.port == 0:
            raise ValueError(f"base_url is {self.base_url!r}: it must be an http(s) address")
        if self.max_attempts < 1:
            raise ValueError("max_attempts is at least 1")
        for name, value in {
            "base_url": self.base_url,
            "model": self.model,
            "app_title": self.app_title,
            "app_url": self.app_url or "-",
        }.items():
            check_header(name, value)


def check_header(name: str, value: str) -> None:
    """Reject a value that is not allowed in an HTTP header or a URL.

    Raises:
        ValueError: The value is empty or not printable ASCII. The message omits the value, which may be a secret.
    """
    if not (value and value.isascii() and value.isprintable()):
        raise ValueError(f"{name} must be printable ASCII text, and not empty")
