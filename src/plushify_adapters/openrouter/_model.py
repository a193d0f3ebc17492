"""The image model: one picture per call, with the retries that cannot cost twice, inside one deadline."""

import asyncio
import logging
from contextlib import aclosing

import httpx
import msgspec
import stamina

from plushify_core.ports import Capabilities, ImageModel, ModelRequest, ModelResult

from ._answer import Answer, read_answer, sniff
from ._catalogue import Catalogue, Finding
from ._exchange import HTTP_ERRORS, read_limited, retry_after_s, translated
from ._failures import TIMED_OUT, UNREADABLE, CallFailed
from ._fetch import fetch_picture
from ._options import Api, OpenRouterOptions, check_header
from ._progress import Progress, may_try_again
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
        progress = Progress(self._options.api)
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
                facts=progress.complete(progress.facts),
            ) from None

    async def _with_retries(self, request: ModelRequest, progress: Progress, deadline: asyncio.Timeout) -> ModelResult:
        profile = await self._catalogue.profile()
        head, tail = split_body(request, self._options, profile)
        first_pause_s = self._options.first_pause_s
        async for attempt in stamina.retry_context(
            on=may_try_again(progress, deadline, first_pause_s),
            attempts=self._options.max_attempts,
            timeout=None,
            wait_initial=first_pause_s,
            wait_jitter=first_pause_s,
            wait_max=_MAX_PAUSE_S,
        ):
            with attempt:
                progress.attempt_begins(attempt.num, RequestBody(request, head, tail))
                return await self._attempt(progress)
        raise AssertionError("the retries end with a picture or a failure")

    async def _attempt(self, progress: Progress) -> ModelResult:
        status, pause_s, answer = await self._exchange(progress)
        if not 200 <= status < 300 or (answer.picture is None and answer.address is None):
            raise progress.failed(failure_of(answer, status, self._options.api, pause_s))
        progress.learn(billing_of(answer), answer.facts)
        picture, media_type = answer.picture, answer.media_type
        if picture is None:
            picture, media_type = await self._fetch(answer)
        assert media_type is not None
        facts = progress.complete(answer.facts)
        if facts.model is None and not self._options.fallback_models:
            facts = msgspec.structs.replace(facts, model=self._options.model)
        return ModelResult(data=picture, media_type=media_type, facts=facts)

    async def _exchange(self, progress: Progress) -> tuple[int, float | None, Answer]:
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
                    progress.answer_begins(response)
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
