"""What an operator can set, read from the environment.

Every setting is `PLUSHIFY_` and the upper-case name of a field of `Settings`; docs/settings.md explains them.
"""

import difflib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from plushify_core import DEFAULT_CATALOG, FREE_CREDITS, Catalog, Limits

PREFIX = "PLUSHIFY_"

_LIMITS = Limits()


class SettingsError(Exception):
    """A setting is wrong. The message is one sentence that names it and says what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings with their defaults. Each description ends the sentence "PLUSHIFY_… takes"."""

    data_dir: Annotated[Path, Meta(description="a folder")] = Path("plushify-data")
    database_url: (
        Annotated[
            str,
            Meta(
                description="a URL that begins with sqlite:/// or postgresql://",
                pattern=r"^(sqlite(\+aiosqlite)?:///.|postgresql(\+asyncpg)?://.)",
            ),
        ]
        | None
    ) = None
    storage_url: (
        Annotated[
            str, Meta(description="a URL such as file:///srv/plushify or s3://bucket/prefix", pattern="^[a-z0-9+]+://.")
        ]
        | None
    ) = None
    storage_options: Annotated[dict[str, Any], Meta(description="a JSON object")] = {}
    model: Annotated[Literal["openrouter", "felt"], Meta(description="openrouter or felt")] | None = None
    image_model: Annotated[str, Meta(description="the name of an image model at OpenRouter", pattern="^[!-~]+$")] = (
        "google/gemini-2.5-flash-image"
    )
    image_model_largest_side_px: (
        Annotated[int, Meta(description="a whole number of pixels, 64 to 16384", ge=64, le=16_384)] | None
    ) = None
    openrouter_api_key: Annotated[str, Meta(description="a key of OpenRouter", pattern="^[!-~]+$")] | None = None
    openrouter_base_url: Annotated[str, Meta(description="an http(s) URL", pattern=r"^https?://[!-.0-~][!-~]*$")] = (
        "https://openrouter.ai/api/v1"
    )
    openrouter_api: Annotated[Literal["chat", "images"], Meta(description="chat or images")] = "chat"
    openrouter_fallback_models: Annotated[
        tuple[Annotated[str, Meta(pattern="^[!-~]+$")], ...],
        Meta(description="names of image models at OpenRouter, with commas in between"),
    ] = ()
    openrouter_data_collection: Annotated[Literal["deny", "allow"], Meta(description="deny or allow")] = "deny"
    openrouter_zdr: Annotated[bool, Meta(description="true or false")] = False
    generation_timeout_s: Annotated[float, Meta(description="seconds, 1 to 3600", ge=1, le=3600)] = _LIMITS.timeout_s
    pending_lease_s: Annotated[float, Meta(description="seconds, 1 to 3600", ge=1, le=3600)] = _LIMITS.pending_lease_s
    lease_margin_s: Annotated[float, Meta(description="seconds, 1 to 3600", ge=1, le=3600)] = _LIMITS.lease_margin_s
    late_write_s: Annotated[float, Meta(description="seconds, 1 to 3600", ge=1, le=3600)] = _LIMITS.late_write_s
    free_credits: Annotated[int, Meta(description="a whole number, 0 to 1000000", ge=0, le=1_000_000)] = FREE_CREDITS
    credits_expire_days: (
        Annotated[int, Meta(description="a whole number of days, 1 to 36500", ge=1, le=36_500)] | None
    ) = None
    daily_spend_limit_usd: (
        Annotated[float, Meta(description="US dollars, such as 25 or 2.50, up to 1000000", ge=0.01, le=1_000_000)]
        | None
    ) = None
    max_upload_bytes: Annotated[int, Meta(description="a whole number of bytes, 1 or more", ge=1)] = (
        _LIMITS.max_upload_bytes
    )
    max_pixels: Annotated[int, Meta(description="a whole number of pixels, 4 or more", ge=4)] = _LIMITS.max_pixels
    max_in_flight_per_user: Annotated[int, Meta(description="a whole number, 1 or more", ge=1)] = (
        _LIMITS.max_in_flight_per_user
    )
    max_in_flight: Annotated[int, Meta(description="a whole number, 1 or more", ge=1)] = 64
    max_running: Annotated[int, Meta(description="a whole number, 1 or more", ge=1)] = 16
    undo_delete_s: Annotated[float, Meta(description="seconds, 0 to 86400", ge=0, le=86_400)] = _LIMITS.undo_delete_s
    sweep_interval_s: Annotated[float, Meta(description="seconds, 1 to 3600", ge=1, le=3600)] = 10.0
    drain_s: Annotated[float, Meta(description="seconds, 0 to 3600", ge=0, le=3600)] = 20.0
    session_days: Annotated[int, Meta(description="a whole number of days, 1 to 400", ge=1, le=400)] = 30
    public_url: (
        Annotated[
            str,
            Meta(
                description="the address of the page, such as https://plushify.example",
                pattern=r"^https?://[^\s/?#]+/?$",
            ),
        ]
        | None
    ) = None
    buy_credits_url: Annotated[str, Meta(description="an http(s) URL", pattern=r"^https?://[^\s/]")] | None = None
    catalog: Annotated[Path, Meta(description="a TOML file")] | None = None
    log: Annotated[Literal["console", "json"], Meta(description="console or json")] = "console"

    def __repr__(self) -> str:
        return "Settings(…)"  # some are secrets

    @property
    def model_kind(self) -> Literal["openrouter", "felt"]:
        """Which model draws: the one that is named; else OpenRouter's if there is a key for it."""
        return self.model or ("openrouter" if self.openrouter_api_key else "felt")

    @property
    def secure(self) -> bool:
        """Whether the page is reached by https."""
        return self.public_url is not None and self.public_url.startswith("https:")

    @property
    def session_lifetime(self) -> timedelta:
        """How long somebody stays signed in."""
        return timedelta(days=self.session_days)

    @property
    def daily_spend_nano_usd(self) -> int | None:
        """What the model calls of a day may cost, in nano-dollars; None for no limit."""
        # Exact to the nano-dollar for amounts this small: a float holds 15 digits.
        return None if self.daily_spend_limit_usd is None else round(self.daily_spend_limit_usd * 1_000_000_000)

    @property
    def limits(self) -> Limits:
        """The limits of the domain."""
        return Limits(
            timeout_s=self.generation_timeout_s,
            pending_lease_s=self.pending_lease_s,
            lease_margin_s=self.lease_margin_s,
            late_write_s=self.late_write_s,
            undo_delete_s=self.undo_delete_s,
            free_credits=self.free_credits,
            credits_expire_days=self.credits_expire_days,
            daily_spend_nano_usd=self.daily_spend_nano_usd,
            max_upload_bytes=self.max_upload_bytes,
            max_pixels=self.max_pixels,
            max_in_flight_per_user=self.max_in_flight_per_user,
        )


SETTINGS = {PREFIX + field.name.upper(): field for field in msgspec.structs.fields(Settings)}
"""The fields by the names of their environment variables."""

_PARSERS: dict[str, Callable[[str], Any]] = {
    "storage_options": msgspec.json.decode,
    "openrouter_fallback_models": lambda text: [name.strip() for name in text.split(",")],
}
"""How the text of a variable becomes a value, where it is more than one."""

_CHAT_ONLY = ("openrouter_fallback_models", "openrouter_data_collection", "openrouter_zdr")


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of this environment. A variable that is empty counts as unset.

    Raises:
        SettingsError: a `PLUSHIFY_` variable is unknown or has a bad value.
    """
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in SETTINGS:
            close = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.85)
            raise SettingsError(f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "."))
        if text.strip():
            values[SETTINGS[name].name] = _convert(name, text.strip())
    settings = Settings(**values)
    if settings.model_kind == "openrouter" and settings.openrouter_api_key is None:
        raise SettingsError("PLUSHIFY_MODEL is openrouter, which takes a key in PLUSHIFY_OPENROUTER_API_KEY.")
    for name in _CHAT_ONLY:
        # Silently ignored, a wish for privacy would be broken.
        if settings.openrouter_api == "images" and values.get(name):
            raise SettingsError(f"{PREFIX}{name.upper()} takes effect only where PLUSHIFY_OPENROUTER_API is chat.")
    return settings


def load_catalog(path: Path | None) -> Catalog:
    """The catalog in this TOML file, or the default one.

    Raises:
        SettingsError: it cannot be read, or is no catalog.
    """
    if path is None:
        return DEFAULT_CATALOG
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Catalog)
    except (OSError, ValueError) as error:
        raise SettingsError(f"PLUSHIFY_CATALOG takes a TOML file with styles and qualities: {error}.") from error


def _convert(name: str, text: str) -> Any:
    kind = SETTINGS[name].type
    parse = _PARSERS.get(SETTINGS[name].name, str)
    try:
        return msgspec.convert(parse(text), kind, strict=False, dec_hook=lambda wanted, raw: wanted(raw))
    except msgspec.MsgspecError:
        # The value stays unsaid: it may be a secret.
        raise SettingsError(f"{name} takes {_takes(kind)}.") from None


def _takes(kind: Any) -> str:
    annotated = next(part for part in (kind, *get_args(kind)) if get_origin(part) is Annotated)
    description: str = annotated.__metadata__[0].description
    return description
