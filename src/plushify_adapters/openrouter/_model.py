"""The image model: one picture per call, with the retries that cannot cost twice, inside one deadline."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

import httpx
import msgspec
import stamina

from plushify_core.model_call import Billing, ModelFacts
from plushify_core.ports import Capabilities, ImageModel, ModelRequest, ModelResult

from ._answer import Answer, read_answer, sniff
from ._catalogue import Catalogue, Finding
from ._exchange import HTTP_ERRORS, read_limited, retry_after_s, translated
from ._failures import TIMED_OUT, UNREADABLE, CallFailed, Retry
from ._fetch import fetch_picture
from ._options import Api, OpenRouterOptions, check_header
from ._request import RequestBody, split_body
from ._verdicts import billing_of, failure_of

log = logging.getLogger(__name__)

_PATHS = {Api.CHAT: "/chat/completions", Api.IMAGES: "/images"}
_LARGE_ANSWER_BYTES = 256 * 1024
_MAX_PAUSE_S = 8.0
# The use case stops listening at the deadline. An end a little earlier still tells it what is known of the bill.
_SHARE_OF_DEADLINE = 0.99


class OpenRouterModel(ImageModel):
    """Draws by a model of OpenRouter.

    Args:
        api_key: the key, `sk-or-…`.
        client: the HTTP client to use, which stays its owner's to close; one of its own when left out.

    Raises:
        ValueError: the key cannot be one.
    """

    def __init__(
        self, api_key: str, options: OpenRouterOptions | None = None, *, client: httpx.AsyncClient | None = None
    ) -> None:
        check_header("the OpenRouter key", api_key)
        self._options = options or OpenRouterOptions()
        self._timeout = httpx.Timeout(None, connect=self._options.connect_timeout_s)
        self._own_client: httpx.AsyncClient | None = None
        if client is None:
            # As many connections as there are calls: each waits for half a minute, and the use cases have the limits.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            client = self._own_client = httpx.AsyncClient(limits=limits)
        self._client = client
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Accept-Encoding": "identity",
            "X-OpenRouter-Title": self._options.app_title,
        }
        if self._options.app_url:
            self._headers["HTTP-Referer"] = self._options.app_url
        self._catalogue = Catalogue(self._client, self._options, self._headers)

    async def aclose(self) -> None:
        """Close the connections of the client this model made itself."""
        if self._own_client is not None:
            await self._own_client.aclose()

    async def capabilities(self) -> Capabilities:
        profile = await self._catalogue.profile()
        return Capabilities(
            name=self._options.model,
            title=profile.title,
            largest_side_px=self._options.largest_side_px or profile.largest_side_px,
        )

    async def check(self) -> list[Finding]:
        """What stands in the way of pictures, now or soon: the key, the credit on it, the model and its last day."""
        return await self._catalogue.findings()

    async def generate(self, request: ModelRequest) -> ModelResult:
        progress = _Progress(self._options.api)
        try:
            async with asyncio.timeout(request.timeout_s * _SHARE_OF_DEADLINE) as deadline:
                return await self._with_retries(request, progress, deadline)
        except CallFailed as failure:
            failure.facts = progress.complete(failure.facts)
            if failure.loud:
                log.error("OpenRouter needs attention: %s", failure.detail)
            raise
        except TimeoutError:
            if not deadline.expired():
                raise  # the photo's own
            raise CallFailed(
                TIMED_OUT,
                f"no answer within {request.timeout_s} s",
                billing=progress.billing,
                facts=progress.complete(ModelFacts()),
            ) from None

    async def _with_retries(
        self, request: ModelRequest, progress: "_Progress", deadline: asyncio.Timeout
    ) -> ModelResult:
        profile = await self._catalogue.profile()
        head, tail = split_body(request, self._options, profile)
        first_pause_s = self._options.first_pause_s
        async for attempt in stamina.retry_context(
            on=_may_try_again(progress, deadline, first_pause_s),
            attempts=self._options.max_attempts,
            timeout=None,
            wait_initial=first_pause_s,
            wait_jitter=first_pause_s,
            wait_max=_MAX_PAUSE_S,
        ):
            with attempt:
                progress.begin(attempt.num, RequestBody(request, head, tail))
                return await self._attempt(progress)
        raise AssertionError("the retries end with a picture or a failure")

    async def _attempt(self, progress: "_Progress") -> ModelResult:
        status, pause_s, answer = await self._exchange(progress)
        if not 200 <= status < 300 or (answer.picture is None and answer.address is None):
            raise failure_of(answer, status, self._options.api, pause_s)
        picture, media_type = answer.picture, answer.media_type
        if picture is None:
            picture, media_type = await self._fetch(answer)
        assert media_type is not None
        facts = progress.complete(answer.facts)
        if facts.model is None and not self._options.fallback_models:
            facts = msgspec.structs.replace(facts, model=self._options.model)
        return ModelResult(data=picture, media_type=media_type, facts=facts)

    async def _exchange(self, progress: "_Progress") -> tuple[int, float | None, Answer]:
        """One request and its answer. Nothing of the photo is held while the answer is waited for."""
        body = progress.body
        async with aclosing(body.stream()) as stream:
            with translated(body):
                request = self._client.build_request(
                    "POST",
                    self._options.base_url.rstrip("/") + _PATHS[self._options.api],
                    headers=self._headers
                    | {"Content-Type": "application/json", "Content-Length": str(body.size_bytes)},
                    content=stream,
                    timeout=self._timeout,
                )
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    progress.answering(response)
                    raw = await read_limited(response, self._options.max_answer_bytes)
                finally:
                    await response.aclose()
        if len(raw) > _LARGE_ANSWER_BYTES:
            answer = await asyncio.to_thread(read_answer, raw)
        else:
            answer = read_answer(raw)
        return response.status_code, retry_after_s(response), answer

    async def _fetch(self, answer: Answer) -> tuple[bytes, str]:
        """The picture of an answer that gives its address. It is paid for, whether it can be fetched or not."""
        assert answer.address is not None
        billing, facts = billing_of(answer), answer.facts
        try:
            picture = await fetch_picture(
                self._client,
                answer.address,
                max_bytes=self._options.max_answer_bytes,
                private_hosts=self._options.private_image_hosts,
            )
        except CallFailed as error:
            raise CallFailed(UNREADABLE, error.detail, billing=billing, facts=facts) from error
        except HTTP_ERRORS as error:
            detail = f"the picture cannot be fetched: {type(error).__name__} {error}"
            raise CallFailed(UNREADABLE, detail, billing=billing, facts=facts) from error
        if (media_type := sniff(picture)) is None:
            raise CallFailed(UNREADABLE, "the picture's address has no picture", billing=billing, facts=facts)
        return picture, media_type


class _Progress:
    """How far a generation has come, for the moment when the time is over."""

    body: RequestBody

    def __init__(self, api: Api) -> None:
        self.attempts = 0
        self.retried_once = False
        self._api = api
        self._call_id: str | None = None
        self._answering = False

    def begin(self, attempt: int, body: RequestBody) -> None:
        self.attempts = attempt
        self.body = body
        self._call_id = None
        self._answering = False

    def answering(self, response: httpx.Response) -> None:
        self._answering = True
        call_id = response.headers.get("X-Generation-Id", "")
        self._call_id = call_id if call_id.isprintable() and 0 < len(call_id) <= 200 else None

    @property
    def billing(self) -> Billing:
        """Whether the attempt under way is billed if it is given up now.

        A chat call goes on without us; a call of `/images` that is given up before its answer is not billed.
        """
        if not self.attempts or not self.body.complete:
            return Billing.NOT_BILLED
        if self._api is Api.IMAGES and not self._answering:
            return Billing.NOT_BILLED
        return Billing.UNKNOWN

    def complete(self, facts: ModelFacts) -> ModelFacts:
        return msgspec.structs.replace(
            facts,
            provider_call_id=facts.provider_call_id or self._call_id,
            attempts=max(1, self.attempts),
        )


def _may_try_again(
    progress: _Progress, deadline: asyncio.Timeout, first_pause_s: float
) -> Callable[[Exception], bool | float]:
    """The rule of the retries: not billed, allowed by the table, and with the pause inside the deadline.

    A pause that would outlast the deadline is not begun: the user hears at once what an idle minute would not change.
    """

    def decide(error: Exception) -> bool | float:
        if not isinstance(error, CallFailed) or error.retry is Retry.NEVER:
            return False
        if error.retry is Retry.ONCE and progress.retried_once:
            return False
        progress.retried_once |= error.retry is Retry.ONCE
        pause_s = error.retry_after_s
        longest_pause_s = first_pause_s * (2 ** (progress.attempts - 1) + 1) if pause_s is None else pause_s
        end = deadline.when()
        assert end is not None
        if asyncio.get_running_loop().time() + longest_pause_s >= end:
            return False
        return True if pause_s is None else pause_s

    return decide
