"""Everything about OpenRouter that can be chosen, with a default for each choice but the key."""

from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

import msgspec


class Api(StrEnum):
    """OpenRouter's two ways to a picture.

    `CHAT` offers fallback models and privacy preferences per request; a call that is given up is billed
    nonetheless. `IMAGES` has neither, and bills no call that failed or was given up.
    """

    CHAT = "chat"
    IMAGES = "images"


class OpenRouterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to use OpenRouter.

    Args:
        base_url: where the API is; another one serves proxies and emulators.
        api: which protocol to speak.
        model: the id of the model that draws.
        fallback_models: models to use in its place when it is down, in order (chat only).
        data_collection: `deny` leaves out providers that may keep or train on the photo; None takes the account's
            preference (chat only).
        zero_data_retention: use only providers that retain nothing (chat only).
        app_url, app_title: who calls, for OpenRouter's public statistics.
        largest_side_px: the longest side the model really draws, in place of what its catalogue says.
        max_answer_bytes: an answer, or a picture fetched by its address, that is larger is given up.
        max_attempts: how often one picture is asked for at most, the first attempt included.
        first_pause_s: the pause before a second attempt where OpenRouter asks for none; it doubles with each.
        connect_timeout_s: how long a connection may take to be made, in seconds.
        catalogue_timeout_s: how long a question about a model or the account may take, in seconds.
        catalogue_ttl_s: for how long what the catalogue said of a model is believed, in seconds.
        private_image_hosts: also fetch pictures from hosts that are not public, and without TLS: for a gateway
            inside one's own network.
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
    catalogue_timeout_s: float = 5.0
    catalogue_ttl_s: float = 3600.0
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
    """Refuse what cannot stand in an HTTP header or address.

    Raises:
        ValueError: it is empty or has characters other than printable ASCII; the value, maybe a secret, is not told.
    """
    if not (value and value.isascii() and value.isprintable()):
        raise ValueError(f"{name} must be printable ASCII text, and not empty")
