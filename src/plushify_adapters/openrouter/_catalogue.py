"""What OpenRouter says of a model, of the key and of the account."""

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

import httpx
import msgspec

from ._exchange import HTTP_ERRORS, read_limited
from ._failures import CallFailed
from ._options import OpenRouterOptions
from ._profiles import KNOWN, SIDE_PX, ModelProfile

_MAX_PAGE_BYTES = 16 * 1024 * 1024
_ASK_AGAIN_S = 60.0
_EXPIRY_WARNING = timedelta(days=60)
_LOW_CREDIT_USD = 1.0

T = TypeVar("T")


class Level(StrEnum):
    """How grave a finding is. With an `ERROR` no picture can be made."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked. `subject` is `key`, `credit`, `model` or `expiration`."""

    level: Level
    subject: str
    detail: str


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


class _Unanswered(Exception):
    """OpenRouter did not answer a question; `status` is None when it could not be reached."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class Catalogue:
    """Asks OpenRouter, and remembers what it said of the model for a while."""

    def __init__(self, client: httpx.AsyncClient, options: OpenRouterOptions, headers: dict[str, str]) -> None:
        self._client = client
        self._options = options
        self._headers = headers
        self._profile = KNOWN.get(options.model, ModelProfile(options.model))
        self._believed_until = 0.0
        self._asking = asyncio.Lock()

    async def profile(self) -> ModelProfile:
        """What the model can do: as the catalogue says, or else the last that was known. Never fails."""
        async with self._asking:
            if time.monotonic() >= self._believed_until:
                try:
                    self._profile = await self._ask_profile()
                    self._believed_until = time.monotonic() + self._options.catalogue_ttl_s
                except _Unanswered:
                    self._believed_until = time.monotonic() + _ASK_AGAIN_S
        return self._profile

    async def findings(self) -> list[Finding]:
        """Whether pictures can be made with this key and this model, now and in the weeks to come. Never fails."""
        return [*await self._key_findings(), *await self._model_findings()]

    async def _key_findings(self) -> list[Finding]:
        try:
            key = await self._get("/key", _Key)
        except _Unanswered as error:
            if error.status in (401, 403):
                return [Finding(level=Level.ERROR, subject="key", detail="OpenRouter does not accept the key.")]
            return [Finding(level=Level.WARNING, subject="key", detail=f"The key could not be checked: {error}.")]
        valid = Finding(level=Level.OK, subject="key", detail="OpenRouter accepts the key.")
        left = key.data.limit_remaining
        if left is None:
            return [valid, Finding(level=Level.OK, subject="credit", detail="The key has no spending limit.")]
        level = Level.ERROR if left <= 0 else Level.WARNING if left < _LOW_CREDIT_USD else Level.OK
        return [valid, Finding(level=level, subject="credit", detail=f"{left:.2f} USD are left on the key.")]

    async def _model_findings(self) -> list[Finding]:
        name = self._options.model
        try:
            model = await self._ask_model()
        except _Unanswered as error:
            return [Finding(level=Level.WARNING, subject="model", detail=f"{name} could not be checked: {error}.")]
        if model is None:
            detail = f"OpenRouter has no image model {name}."
            return [Finding(level=Level.ERROR, subject="model", detail=detail)]
        exists = Finding(level=Level.OK, subject="model", detail=f"{name} exists.")
        last_day = _date(model.expiration_date)
        if last_day is None:
            return [exists]
        left = last_day - datetime.now(UTC).date()
        level = Level.ERROR if left < timedelta(0) else Level.WARNING if left <= _EXPIRY_WARNING else Level.OK
        return [exists, Finding(level=level, subject="expiration", detail=f"{name} ends on {last_day.isoformat()}.")]

    async def _ask_model(self) -> _Model | None:
        models = await self._get("/models?output_modalities=image", _Models)
        return next((model for model in models.data if model.id == self._options.model), None)

    async def _ask_profile(self) -> ModelProfile:
        model = await self._ask_model()
        if model is None:
            raise _Unanswered("no such model")
        found = await self._get(f"/images/models/{self._options.model}/endpoints", _Endpoints)
        return ModelProfile(
            title=model.name or self._options.model,
            resolutions=_common_resolutions(found.endpoints) or self._profile.resolutions,
            image_only="text" not in model.architecture.output_modalities,
        )

    async def _get(self, path: str, type_: type[T]) -> T:
        try:
            async with (
                asyncio.timeout(self._options.catalogue_timeout_s),
                self._client.stream(
                    "GET", self._options.base_url.rstrip("/") + path, headers=self._headers
                ) as response,
            ):
                body = await read_limited(response, _MAX_PAGE_BYTES)
        except (*HTTP_ERRORS, CallFailed, TimeoutError) as error:
            raise _Unanswered(f"{type(error).__name__} {error}".strip()) from error
        if response.status_code != 200:
            raise _Unanswered(f"status {response.status_code}", response.status_code)
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _Unanswered("the answer is not understood") from error


def _common_resolutions(endpoints: list[_Endpoint]) -> tuple[str, ...]:
    """Those that every provider of the model has, for nobody knows which one will draw."""
    offers = [
        {value for value in endpoint.supported_parameters["resolution"].values if value in SIDE_PX}
        if "resolution" in endpoint.supported_parameters
        else {"1K"}
        for endpoint in endpoints
    ]
    common = set.intersection(*offers) if offers else set()
    return tuple(sorted(common, key=SIDE_PX.__getitem__))


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
