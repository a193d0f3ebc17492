"""The image model: one picture per call, with retries that cannot be billed twice, within one deadline."""

import asyncio
import logging
from contextlib import aclosing

import httpx
import msgspec
import stamina

from plushify_adapters.openrouter._answer import Answer, read_answer
from plushify_adapters.openrouter._call_state import CallState
from plushify_adapters.openrouter._classification import billing_of, classify_failure
from plushify_adapters.openrouter._failures import TIMED_OUT, UNREADABLE, CallFailed
from plushify_adapters.openrouter._fetch import fetch_picture
from plushify_adapters.openrouter._http import HTTP_ERRORS, read_limited, retry_after_s, translate_http_errors
from plushify_adapters.openrouter._models_api import ModelsApi
from plushify_adapters.openrouter._options import Api, OpenRouterOptions, check_header
from plushify_adapters.openrouter._picture_checks import is_blank
from plushify_adapters.openrouter._pictures import Picture, picture_of
from plushify_adapters.openrouter._request import RequestBody, split_body
from plushify_adapters.openrouter._retry import keep_stdout_free_of_retries, retry_within
from plushify_core.ports import Capabilities, ImageModel, ModelRequest, ModelResult, Notice

log = logging.getLogger(__name__)

_PATHS = {Api.CHAT: "/chat/completions", Api.IMAGES: "/images"}
_LARGE_ANSWER_BYTES = 64 * 1024  # checking the pixels of a larger one may block the event loop
_MAX_PAUSE_S = 8.0
# The use case stops waiting at its own timeout, so this one ends a little earlier to still report the billing.
_TIMEOUT_FACTOR = 0.99


class OpenRouterModel(ImageModel):
    """Image model of OpenRouter.

    Args:
        api_key: Key of the OpenRouter account, `sk-or-…`.
        options: Options; the defaults if omitted.
        client: HTTP client to use, which the caller closes. If omitted, the model creates one of its own.

    Raises:
        ValueError: The key is empty or not printable ASCII.
    """

    def __init__(
        self, api_key: str, options: OpenRouterOptions | None = None, *, client: httpx.AsyncClient | None = None
    ) -> None:
        check_header("the OpenRouter key", api_key)
        keep_stdout_free_of_retries()
        self._options = options or OpenRouterOptions()
        self._timeout = httpx.Timeout(None, connect=self._options.connect_timeout_s)
        self._own_client: httpx.AsyncClient | None = None
        if client is None:
            # No limit on connections: a call waits half a minute on one, and the use cases limit the calls.
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
        self._models_api = ModelsApi(self._client, self._options, self._headers)

    async def aclose(self) -> None:
        """Close the HTTP client, if the model created it."""
        if self._own_client is not None:
            await self._own_client.aclose()

    async def capabilities(self) -> Capabilities:
        profile = await self._models_api.profile()
        return Capabilities(
            name=self._options.model,
            title=profile.title,
            largest_side_px=self._options.largest_side_px or profile.largest_side_px,
        )

    async def self_check(self) -> list[Notice]:
        """Check the key, its remaining credit, and the model with its expiration date. Never fails."""
        return await self._models_api.self_check()

    async def generate(self, request: ModelRequest) -> ModelResult:
        state = CallState(api=self._options.api)
        try:
            async with asyncio.timeout(request.timeout_s * _TIMEOUT_FACTOR) as deadline:
                return await self._generate_with_retries(request, state, deadline)
        except CallFailed as failure:
            failure.facts = state.with_call_facts(failure.facts)
            if failure.needs_operator:
                log.error("OpenRouter needs attention: %s", failure.detail)
            raise
        except TimeoutError:
            if not deadline.expired():
                raise  # raised while reading the photo
            raise CallFailed(
                TIMED_OUT,
                f"no answer within {request.timeout_s} s",
                billing=state.billing,
                facts=state.with_call_facts(state.facts),
            ) from None

    async def _generate_with_retries(
        self, request: ModelRequest, state: CallState, deadline: asyncio.Timeout
    ) -> ModelResult:
        profile = await self._models_api.profile()
        head, tail = split_body(request, self._options, profile)
        first_pause_s = self._options.first_pause_s
        async for attempt in stamina.retry_context(
            on=retry_within(deadline, state, first_pause_s),
            attempts=self._options.max_attempts,
            timeout=None,
            wait_initial=first_pause_s,
            wait_jitter=first_pause_s,
            wait_max=_MAX_PAUSE_S,
        ):
            with attempt:
                body = RequestBody(request=request, head=head, tail=tail)
                state.begin_attempt(attempt.num, body)
                return await self._attempt(body, state)
        raise AssertionError("the retries end with a picture or a failure")

    async def _attempt(self, body: RequestBody, state: CallState) -> ModelResult:
        status, pause_s, answer = await self._post(body, state)
        if not 200 <= status < 300 or not answer.pictures:
            raise state.record_failure(classify_failure(answer, status, self._options.api, pause_s))
        state.record(billing_of(answer), answer.facts)
        picture = await self._first_picture(answer)
        if picture is None:  # the URLs lead nowhere, and the error tells more
            raise state.record_failure(classify_failure(answer, status, self._options.api, pause_s))
        facts = state.with_call_facts(answer.facts)
        if facts.model is None and not self._options.fallback_models:
            facts = msgspec.structs.replace(facts, model=self._options.model)
        return ModelResult(data=picture.data, media_type=picture.media_type, facts=facts)

    async def _post(self, body: RequestBody, state: CallState) -> tuple[int, float | None, Answer]:
        """Send one request, and return the status, the `Retry-After` delay in seconds and the decoded answer.

        The photo is streamed into the request and released, so it is not in memory while the response is awaited.
        """
        async with aclosing(body.stream()) as stream:
            with translate_http_errors(body):
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
                    state.begin_response(response)
                    raw = await read_limited(response, self._options.max_answer_bytes)
                finally:
                    await response.aclose()
        if len(raw) > _LARGE_ANSWER_BYTES:
            answer = await asyncio.to_thread(read_answer, raw)
        else:
            answer = read_answer(raw)
        return response.status_code, retry_after_s(response), answer

    async def _first_picture(self, answer: Answer) -> Picture | None:
        """Return the first picture of an answer that is at hand or can be fetched.

        Returns None if there is none and the answer has an error.

        Raises:
            CallFailed: There is none and the answer has no error.
        """
        *others, last = answer.pictures
        for source in others:
            try:
                return await self._fetch(source, answer) if isinstance(source, str) else source
            except CallFailed as failure:
                log.warning("a picture of an answer is skipped: %s", failure.detail)
        try:
            return await self._fetch(last, answer) if isinstance(last, str) else last
        except CallFailed:
            if answer.error is None:
                raise
            return None

    async def _fetch(self, url: str, answer: Answer) -> Picture:
        """Return the picture at a URL in an answer, which is billed even if the download fails.

        Raises:
            CallFailed: The download failed, or is not a picture.
        """
        billing, facts = billing_of(answer), answer.facts
        try:
            data = await fetch_picture(
                self._client,
                url,
                max_bytes=self._options.max_answer_bytes,
                private_hosts=self._options.private_image_hosts,
            )
        except CallFailed as error:
            raise CallFailed(UNREADABLE, error.detail, billing=billing, facts=facts) from error
        except HTTP_ERRORS as error:
            detail = f"the picture cannot be fetched: {type(error).__name__} {error}"
            raise CallFailed(UNREADABLE, detail, billing=billing, facts=facts) from error
        picture = picture_of(data)
        if picture is None or await asyncio.to_thread(is_blank, data):
            raise CallFailed(UNREADABLE, "the picture's address has no picture", billing=billing, facts=facts)
        return picture
