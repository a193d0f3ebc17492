"""Client of OpenRouter's models API and key endpoint, for capabilities and for the self-check."""

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import httpx
import msgspec

from plushify_adapters.openrouter._failures import CallFailed
from plushify_adapters.openrouter._http import HTTP_ERRORS, read_limited
from plushify_adapters.openrouter._options import OpenRouterOptions
from plushify_adapters.openrouter._profiles import BUILT_IN_PROFILES, SIDE_PX, ModelProfile
from plushify_core.ports import Level, Notice

_MAX_RESPONSE_BYTES = 16 * 1024 * 1024
_RETRY_INTERVAL_S = 60.0
_EXPIRY_WARNING = timedelta(days=60)
_LOW_CREDIT_USD = 1.0

T = TypeVar("T")


class _KeyFacts(msgspec.Struct):
    limit_remaining: float | None = None


class _Key(msgspec.Struct):
    data: _KeyFacts


class _Architecture(msgspec.Struct):
    output_modalities: list[str] = []


class _Model(msgspec.Struct):
    id: str
    name: str = ""
    architecture: _Architecture = msgspec.field(default_factory=_Architecture)
    expiration_date: str | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Parameter(msgspec.Struct):
    values: list[str | float] = []


class _Endpoint(msgspec.Struct):
    supported_parameters: dict[str, _Parameter] = {}


class _Endpoints(msgspec.Struct):
    endpoints: list[_Endpoint]


class _RequestFailed(Exception):
    """Failure of a request. `status` is None if there was no HTTP response."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class ModelsApi:
    """Client of the models API and the key endpoint, with a cache for the profile of the configured model."""

    def __init__(self, client: httpx.AsyncClient, options: OpenRouterOptions, headers: dict[str, str]) -> None:
        self._client = client
        self._options = options
        self._headers = headers
        self._profile = BUILT_IN_PROFILES.get(options.model, ModelProfile(options.model))
        self._profile_expires_at = 0.0
        self._refresh_lock = asyncio.Lock()

    async def profile(self) -> ModelProfile:
        """Return the profile of the configured model, from a cache that lives for `models_api_ttl_s`.

        Never fails: without a usable response from OpenRouter, it returns the last known profile.
        """
        async with self._refresh_lock:
            if time.monotonic() >= self._profile_expires_at:
                try:
                    self._profile = await self._fetch_profile()
                    self._profile_expires_at = time.monotonic() + self._options.models_api_ttl_s
                except _RequestFailed:
                    self._profile_expires_at = time.monotonic() + _RETRY_INTERVAL_S
        return self._profile

    async def self_check(self) -> list[Notice]:
        """Check the key, its remaining credit, and the model with its expiration date. Never fails."""
        return [*await self._check_key(), *await self._check_model()]

    async def _check_key(self) -> list[Notice]:
        try:
            key = await self._get("/key", _Key)
        except _RequestFailed as error:
            if error.status in (401, 403):
                return [Notice(level=Level.ERROR, subject="key", detail="OpenRouter does not accept the key.")]
            return [Notice(level=Level.WARNING, subject="key", detail=f"The key could not be checked: {error}.")]
        valid = Notice(level=Level.OK, subject="key", detail="OpenRouter accepts the key.")
        left = key.data.limit_remaining
        if left is None:
            return [valid, Notice(level=Level.OK, subject="credit", detail="The key has no spending limit.")]
        level = Level.ERROR if left <= 0 else Level.WARNING if left < _LOW_CREDIT_USD else Level.OK
        return [valid, Notice(level=level, subject="credit", detail=f"{left:.2f} USD are left on the key.")]

    async def _check_model(self) -> list[Notice]:
        name = self._options.model
        try:
            model = await self._fetch_model()
        except _RequestFailed as error:
            return [Notice(level=Level.WARNING, subject="model", detail=f"{name} could not be checked: {error}.")]
        if model is None:
            detail = f"OpenRouter has no image model {name}."
            return [Notice(level=Level.ERROR, subject="model", detail=detail)]
        exists = Notice(level=Level.OK, subject="model", detail=f"{name} exists.")
        last_day = _parse_date(model.expiration_date)
        if last_day is None:
            return [exists]
        left = last_day - datetime.now(UTC).date()
        level = Level.ERROR if left < timedelta(0) else Level.WARNING if left <= _EXPIRY_WARNING else Level.OK
        return [exists, Notice(level=level, subject="expiration", detail=f"{name} ends on {last_day.isoformat()}.")]

    async def _fetch_model(self) -> _Model | None:
        models = await self._get("/models?output_modalities=image", _Models)
        return next((model for model in models.data if model.id == self._options.model), None)

    async def _fetch_profile(self) -> ModelProfile:
        model = await self._fetch_model()
        if model is None:
            raise _RequestFailed("no such model")
        found = await self._get(f"/images/models/{self._options.model}/endpoints", _Endpoints)
        return ModelProfile(
            title=model.name or self._options.model,
            resolutions=_common_resolutions(found.endpoints) or self._profile.resolutions,
            image_only="text" not in model.architecture.output_modalities,
        )

    async def _get(self, path: str, type_: type[T]) -> T:
        try:
            async with (
                asyncio.timeout(self._options.models_api_timeout_s),
                self._client.stream(
                    "GET", self._options.base_url.rstrip("/") + path, headers=self._headers
                ) as response,
            ):
                body = await read_limited(response, _MAX_RESPONSE_BYTES)
        except (*HTTP_ERRORS, CallFailed, TimeoutError) as error:
            raise _RequestFailed(f"{type(error).__name__} {error}".strip()) from error
        if response.status_code != 200:
            raise _RequestFailed(f"status {response.status_code}", response.status_code)
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _RequestFailed("the answer is not understood") from error


def _common_resolutions(endpoints: list[_Endpoint]) -> tuple[str, ...]:
    """Return the resolutions that every provider of the model supports, as any of them may serve a request."""
    per_provider = [
        {value for value in endpoint.supported_parameters["resolution"].values if value in SIDE_PX}
        if "resolution" in endpoint.supported_parameters
        else {"1K"}
        for endpoint in endpoints
    ]
    common = set.intersection(*per_provider) if per_provider else set()
    return tuple(sorted(common, key=SIDE_PX.__getitem__))


def _parse_date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
