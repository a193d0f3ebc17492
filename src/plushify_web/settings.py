"""Settings of an installation, read from the environment.

The name of a variable is `PLUSHIFY_` followed by the upper-case name of a field of `Settings`. docs/settings.md
explains each one.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from plushify_core import DEFAULT_CATALOG, Catalog, Limits

PREFIX = "PLUSHIFY_"

_LIMITS = Limits()


class SettingsError(Exception):
    """Wrong setting. The message is one sentence that names the setting and says what it takes."""


_PRINTABLE = "^[!-~]+$"
"""Visible ASCII characters."""

# Types of the settings. Each description completes the sentence "PLUSHIFY_… takes".
Folder = Annotated[Path, Meta(description="a folder")]
TomlFile = Annotated[Path, Meta(description="a TOML file")]
JsonObject = Annotated[dict[str, Any], Meta(description="a JSON object")]
Flag = Annotated[bool, Meta(description="true or false")]
Count = Annotated[int, Meta(description="a whole number, 1 or more", ge=1)]
Credits = Annotated[int, Meta(description="a whole number, 0 to 1000000", ge=0, le=1_000_000)]
UsDollars = Annotated[float, Meta(description="US dollars, such as 25 or 2.50, up to 1000000", ge=0.01, le=1_000_000)]
CallCost = Annotated[float, Meta(description="US dollars, such as 0.04, 0.000001 to 1000", ge=0.000001, le=1_000)]
CountOrZero = Annotated[int, Meta(description="a whole number, 0 or more", ge=0)]
Bytes = Annotated[int, Meta(description="a whole number of bytes, 1 or more", ge=1)]
Area = Annotated[int, Meta(description="a whole number of pixels, 4 or more", ge=4)]
Side = Annotated[int, Meta(description="a whole number of pixels, 64 to 16384", ge=64, le=16_384)]
Seconds = Annotated[float, Meta(description="seconds, 1 to 3600", ge=1, le=3600)]
SecondsOrZero = Annotated[float, Meta(description="seconds, 0 to 3600", ge=0, le=3600)]
UpToOneDay = Annotated[float, Meta(description="seconds, 0 to 86400", ge=0, le=86_400)]
SessionDays = Annotated[int, Meta(description="a whole number of days, 1 to 400", ge=1, le=400)]
AgeDays = Annotated[float, Meta(description="days, 0 to 36500", ge=0, le=36_500)]
TrashDays = Annotated[int, Meta(description="a whole number of days, 1 to 36500", ge=1, le=36_500)]
Percent = Annotated[float, Meta(description="percent, 0 to 100", ge=0, le=100)]
ExpiryDays = Annotated[int, Meta(description="a whole number of days, 1 to 36500", ge=1, le=36_500)]
DatabaseUrl = Annotated[
    str,
    Meta(
        description="a URL that begins with sqlite:/// or postgresql://",
        pattern=r"^(sqlite(\+aiosqlite)?:///.|postgres(ql)?(\+asyncpg)?://.)",
    ),
]
StorageUrl = Annotated[
    str, Meta(description="a URL such as file:///srv/plushify or s3://bucket/prefix", pattern="^[a-z0-9+]+://.")
]
PublicUrl = Annotated[
    str,
    Meta(description="the address of the page, such as https://plushify.example", pattern=r"^https?://[^\s/?#]+/?$"),
]
ApiUrl = Annotated[str, Meta(description="an http(s) URL", pattern=r"^https?://[!-.0-~][!-~]*$")]
LinkUrl = Annotated[str, Meta(description="an http(s) URL", pattern=r"^https?://[^\s/]")]
ApiKey = Annotated[str, Meta(description="a key of OpenRouter", pattern=_PRINTABLE)]
ModelName = Annotated[str, Meta(description="the name of an image model at OpenRouter", pattern=_PRINTABLE)]
ModelNames = Annotated[
    tuple[ModelName, ...], Meta(description="names of image models at OpenRouter, with commas in between")
]
ModelKind = Annotated[Literal["openrouter", "felt"], Meta(description="openrouter or felt")]
OpenRouterApi = Annotated[Literal["chat", "images"], Meta(description="chat or images")]
DataCollection = Annotated[Literal["deny", "allow"], Meta(description="deny or allow")]
LogFormat = Annotated[Literal["console", "json"], Meta(description="console or json")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings with their defaults."""

    data_dir: Folder = Path("plushify-data")
    database_url: DatabaseUrl | None = None
    database_timeout_s: Seconds = 10.0
    database_connect_timeout_s: Seconds = 5.0
    database_pool_timeout_s: Seconds = 10.0
    storage_url: StorageUrl | None = None
    storage_options: JsonObject = {}
    model: ModelKind | None = None
    image_model: ModelName = "google/gemini-2.5-flash-image"
    image_model_largest_side_px: Side | None = None
    openrouter_api_key: ApiKey | None = None
    openrouter_base_url: ApiUrl = "https://openrouter.ai/api/v1"
    openrouter_api: OpenRouterApi = "chat"
    openrouter_fallback_models: ModelNames = ()
    openrouter_data_collection: DataCollection = "deny"
    openrouter_zdr: Flag = False
    generation_timeout_s: Seconds = _LIMITS.timeout_s
    pending_lease_s: Seconds = _LIMITS.pending_lease_s
    lease_s: Seconds = _LIMITS.lease_s
    settle_timeout_s: Seconds = _LIMITS.settle_timeout_s
    late_write_s: Seconds = _LIMITS.late_write_s
    free_credits: Credits = _LIMITS.free_credits
    credits_expire_days: ExpiryDays | None = None
    daily_spend_limit_usd: UsDollars | None = None
    expected_call_cost_usd: CallCost = _LIMITS.expected_call_cost_nano_usd / 1e9
    failed_generations_per_user_per_day: CountOrZero = _LIMITS.failed_generations_per_user_per_day or 0
    max_upload_bytes: Bytes = _LIMITS.max_upload_bytes
    max_pixels: Area = _LIMITS.max_pixels
    max_in_flight_per_user: Count = _LIMITS.max_in_flight_per_user
    max_in_flight: Count = _LIMITS.max_in_flight
    max_running: Count = _LIMITS.max_running
    undo_delete_s: UpToOneDay = _LIMITS.undo_delete_s
    sweep_interval_s: Seconds = _LIMITS.sweep_interval_s
    drain_s: SecondsOrZero = _LIMITS.drain_s
    orphan_age_days: AgeDays = _LIMITS.orphan_age_days
    orphan_percent: Percent = _LIMITS.orphan_percent
    orphan_count: CountOrZero = _LIMITS.orphan_count
    blob_trash_days: TrashDays = _LIMITS.blob_trash_days
    session_days: SessionDays = 30
    public_url: PublicUrl | None = None
    buy_credits_url: LinkUrl | None = None
    catalog: TomlFile | None = None
    log: LogFormat = "console"

    def __repr__(self) -> str:
        return "Settings(…)"  # some values are secrets

    @property
    def model_kind(self) -> Literal["openrouter", "felt"]:
        """Image model to use: `model` if it is set, else OpenRouter if there is a key, else felt."""
        return self.model or ("openrouter" if self.openrouter_api_key else "felt")

    @property
    def secure(self) -> bool:
        """Whether the public address of the page uses https."""
        return self.public_url is not None and self.public_url.startswith("https:")

    @property
    def session_lifetime(self) -> timedelta:
        """Time from sign-in to the expiry of the session."""
        return timedelta(days=self.session_days)

    @property
    def daily_spend_nano_usd(self) -> int | None:
        """Limit of the cost of the model calls of one day, in nano-dollars; None: no limit."""
        # A float holds 15 digits, so this is exact to the nano-dollar up to the largest allowed amount.
        return None if self.daily_spend_limit_usd is None else round(self.daily_spend_limit_usd * 1_000_000_000)

    @property
    def limits(self) -> Limits:
        """Limits of the domain."""
        return Limits(
            timeout_s=self.generation_timeout_s,
            pending_lease_s=self.pending_lease_s,
            lease_s=self.lease_s,
            settle_timeout_s=self.settle_timeout_s,
            late_write_s=self.late_write_s,
            undo_delete_s=self.undo_delete_s,
            free_credits=self.free_credits,
            credits_expire_days=self.credits_expire_days,
            daily_spend_nano_usd=self.daily_spend_nano_usd,
            expected_call_cost_nano_usd=round(self.expected_call_cost_usd * 1_000_000_000),
            failed_generations_per_user_per_day=self.failed_generations_per_user_per_day or None,
            max_upload_bytes=self.max_upload_bytes,
            max_pixels=self.max_pixels,
            max_in_flight_per_user=self.max_in_flight_per_user,
            max_in_flight=self.max_in_flight,
            max_running=self.max_running,
            sweep_interval_s=self.sweep_interval_s,
            drain_s=self.drain_s,
            orphan_age_days=self.orphan_age_days,
            orphan_percent=self.orphan_percent,
            orphan_count=self.orphan_count,
            blob_trash_days=self.blob_trash_days,
        )


SETTINGS = {PREFIX + field.name.upper(): field for field in msgspec.structs.fields(Settings)}
"""Fields of `Settings` by the names of their environment variables."""

_PARSERS: dict[str, Callable[[str], Any]] = {
    "storage_options": msgspec.json.decode,
    "openrouter_fallback_models": lambda text: [name.strip() for name in text.split(",")],
}
"""Parsers of the variables whose text is structured."""

_MADE_BY_KUBERNETES = re.compile(
    r"PLUSHIFY_(\w+_)?"
    r"(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=\d+|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
    r"|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*)"
)
"""Variables, with their values, that Kubernetes gives to every container if a service is named plushify or plushify-…
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)."""

_CHAT_ONLY = ("openrouter_fallback_models", "openrouter_data_collection", "openrouter_zdr")
"""Settings that the image protocol of OpenRouter cannot apply."""


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings of this environment. An empty variable counts as unset.

    Raises:
        SettingsError: a `PLUSHIFY_` variable is unknown or has an invalid value.
    """
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in SETTINGS:
            if _MADE_BY_KUBERNETES.fullmatch(f"{name}={text.strip()}"):
                continue
            close = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.85)
            raise SettingsError(f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "."))
        if text.strip():
            values[SETTINGS[name].name] = _convert(name, text.strip())
    settings = Settings(**values)
    if settings.model_kind == "openrouter" and settings.openrouter_api_key is None:
        raise SettingsError("PLUSHIFY_MODEL is openrouter, which takes a key in PLUSHIFY_OPENROUTER_API_KEY.")
    for name in _CHAT_ONLY:
        # Two of them protect the privacy of users, so they must not be ignored silently.
        if settings.openrouter_api == "images" and values.get(name):
            raise SettingsError(f"{PREFIX}{name.upper()} takes effect only where PLUSHIFY_OPENROUTER_API is chat.")
    return settings


def load_catalog(path: Path | None) -> Catalog:
    """Return the catalog in this TOML file, or the default catalog if `path` is None.

    Raises:
        SettingsError: the file cannot be read or is not a valid catalog.
    """
    if path is None:
        return DEFAULT_CATALOG
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Catalog)
    except (OSError, ValueError) as error:
        raise SettingsError(f"PLUSHIFY_CATALOG takes a TOML file with styles and qualities: {error}.") from error


def local_folder(url: str) -> Path | None:
    """Return the folder that a `file://` URL names; None for any other URL.

    `file:///srv/pictures` is absolute, `file://pictures` relative, and `file://~/pictures` in the home folder.

    Raises:
        ValueError: the URL has a query or a fragment, or names a home folder that does not exist.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"file", "local"}:
        return None
    if "?" in rest or "#" in rest:
        raise ValueError("a file URL has no ? and no #: write them in a path as %3F and %23")
    if rest.startswith("localhost/"):  # RFC 8089 section 2
        rest = rest.removeprefix("localhost")
    path = unquote(rest)
    return _path(path.removeprefix("/") if path.startswith("/~") else path)


def _convert(name: str, text: str) -> Any:
    kind = SETTINGS[name].type
    parse = _PARSERS.get(SETTINGS[name].name, str)
    try:
        return msgspec.convert(parse(text), kind, strict=False, dec_hook=_construct)
    except msgspec.MsgspecError:
        # The message does not contain the value, which may be a secret.
        raise SettingsError(f"{name} takes {_description(kind)}.") from None


def _construct(kind: type[Any], raw: Any) -> Any:
    """Return a value of a type that msgspec does not know, such as `Path`."""
    return _path(raw) if kind is Path else kind(raw)


def _path(text: str) -> Path:
    """Return the path with a `~` at its beginning replaced by the home folder.

    Raises:
        ValueError: there is no such home folder.
    """
    path = Path(text)
    if not text.startswith("~"):  # the folder `./~`, which `Path` shortens to `~`, is not the home folder
        return path
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("it names a home folder (~) that this system does not know") from None


def _description(kind: Any) -> str:
    """Return the description of `Annotated[…]` or of `Annotated[…] | None`."""
    annotated = next(part for part in (kind, *get_args(kind)) if get_origin(part) is Annotated)
    description: str = annotated.__metadata__[0].description
    return description
