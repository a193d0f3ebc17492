"""The server: OpenRouter's routes under `/api/v1`, pictures under `/files`, and control endpoints for tests."""

import asyncio
import itertools
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from tests.emulators.openrouter.account import generation_details, key_details
from tests.emulators.openrouter.answers import COST_USD, Answer, Call, error_body, json_answer
from tests.emulators.openrouter.errors import ERRORS
from tests.emulators.openrouter.models import MODELS, image_endpoints, model_list
from tests.emulators.openrouter.scenarios import SCENARIOS, answer, draw_answer
from tests.emulators.openrouter.validation import PictureRequest, Refusal, check_authorization, read_chat, read_images

MAX_BODY_BYTES = 40_000_000
API = "/api/v1"
CALLS = "calls"  # name of the script that both picture endpoints share
_READERS: dict[str, Callable[[bytes], PictureRequest]] = {"chat": read_chat, "images": read_images}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Step(msgspec.Struct, frozen=True):
    """One step of a script: a scenario, its options, and the time until the answer in seconds."""

    scenario: str = "ok"
    options: dict[str, Any] = {}
    latency_s: float | None = None


class Emulator:
    """The state of an emulator. `app` returns the application that serves it.

    Args:
        latency_s: Time until an answer in seconds, unless its step sets another one.
        keep: Number of requests to keep for `GET /_control/requests`.
    """

    def __init__(self, latency_s: float = 0, keep: int = 100) -> None:
        self._latency_s = latency_s
        self._ids = itertools.count(1)
        self._requests: deque[dict[str, Any]] = deque(maxlen=keep)
        self.reset()

    def reset(self) -> None:
        """Clear the scripts, the requests and the spending."""
        self._scripts: defaultdict[str, deque[Step]] = defaultdict(deque)
        self._requests.clear()
        self._generations: dict[str, dict[str, Any]] = {}
        self._pictures: dict[str, PictureRequest] = {}
        self._limit: float | None = 10.0
        self._usage = 0.0
        self._waiting = 0

    def app(self) -> web.Application:
        """Return an application with the routes of this emulator."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.post(f"{API}/chat/completions", self._picture_handler("chat")),
                web.post(f"{API}/images", self._picture_handler("images")),
                web.get(f"{API}/key", self._get_handler("/key", self._key)),
                web.get(f"{API}/models", self._get_handler("/models", self._models)),
                web.get(
                    f"{API}/images/models/{{author}}/{{slug}}/endpoints",
                    self._get_handler("/endpoints", self._endpoints),
                ),
                web.get(f"{API}/generation", self._get_handler("/generation", self._generation)),
                web.get("/files/{name}", self._file),
                web.get("/redirect", self._redirect),
                web.get("/silence", self._silence),
                web.post("/_control/script", self._control_script),
                web.post("/_control/account", self._control_account),
                web.post("/_control/reset", self._control_reset),
                web.get("/_control/requests", self._control_requests),
                web.get("/_control/waiting", self._control_waiting),
            ]
        )
        return app

    def _picture_handler(self, api: Any) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            step = self._next_step(CALLS)
            generation_id = f"gen-{next(self._ids)}"
            started = time.monotonic()
            try:
                picture_request = await self._read(request, api)
            except Refusal as refusal:
                return await _send(request, _refused(refusal))
            self._pictures[generation_id] = picture_request
            call = Call(api, generation_id, str(request.url.origin()), picture_request)
            try:
                await self._delay(step)
            except asyncio.CancelledError:
                self._record_cost(call, Answer(cost_usd=COST_USD if api == "chat" else 0), started, cancelled=True)
                raise
            reply = await asyncio.to_thread(answer, call, step.scenario, step.options)
            self._record_cost(call, reply, started, cancelled=False)
            self._waiting += reply.ending == "stall"
            return await _send(request, reply)

        return handle

    async def _read(self, request: web.Request, api: str) -> PictureRequest:
        """Record and parse a request, without `Request.read`, which would keep the body until the answer is sent."""
        record: dict[str, Any] = {"method": request.method, "path": request.path, "headers": dict(request.headers)}
        self._requests.append(record)
        body = b"".join([chunk async for chunk in request.content.iter_chunked(1 << 18)])
        record["body"] = body
        check_authorization(request.headers.get("Authorization"))
        if len(body) > MAX_BODY_BYTES:
            raise Refusal(413, "payload_too_large", "Request entity too large")
        if request.content_type != "application/json":
            raise Refusal(400, "invalid_request", "Content-Type must be application/json")
        return await asyncio.to_thread(_READERS[api], body)

    def _get_handler(self, name: str, respond: Callable[[web.Request], dict[str, Any]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._requests.append(
                {"method": "GET", "path": request.path_qs, "headers": dict(request.headers), "body": b"null"}
            )
            scripted = bool(self._scripts[name])
            step = self._next_step(name)
            await self._delay(step)
            try:
                check_authorization(request.headers.get("Authorization"))
                if scripted and step.scenario != "ok":
                    call = Call("other", "", str(request.url.origin()))
                    return await _send(request, answer(call, step.scenario, step.options))
                return await _send(request, json_answer(respond(request)))
            except Refusal as refusal:
                return await _send(request, _refused(refusal))

        return handle

    def _key(self, request: web.Request) -> dict[str, Any]:
        return key_details(self._limit, self._usage)

    def _models(self, request: web.Request) -> dict[str, Any]:
        return model_list(request.query.get("output_modalities"))

    def _endpoints(self, request: web.Request) -> dict[str, Any]:
        model = MODELS.get("{author}/{slug}".format_map(request.match_info))
        if model is None:
            raise Refusal(404, "not_found", "No endpoints found for this model")
        return image_endpoints(model)

    def _generation(self, request: web.Request) -> dict[str, Any]:
        try:
            return self._generations[request.query["id"]]
        except KeyError:
            raise Refusal(404, "not_found", "Generation not found") from None

    async def _file(self, request: web.Request) -> web.StreamResponse:
        generation_id = request.match_info["name"].removesuffix(".png")
        if generation_id not in self._pictures:
            raise web.HTTPNotFound
        call = Call("other", generation_id, "", self._pictures[generation_id])
        picture = await asyncio.to_thread(draw_answer, call)
        return await _send(request, Answer(picture, headers={"Content-Type": "application/octet-stream"}))

    async def _redirect(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.query["to"])

    async def _silence(self, request: web.Request) -> web.StreamResponse:
        return await _send(request, Answer(ending="stall"))

    async def _control_script(self, request: web.Request) -> web.StreamResponse:
        steps = [_parse_step(item) for item in await request.json()]
        self._scripts[request.query.get("path", CALLS)].extend(steps)
        return web.json_response({"steps": len(steps)})

    async def _control_account(self, request: web.Request) -> web.StreamResponse:
        account = await request.json()
        self._limit, self._usage = account["limit"], account["usage"]
        return web.json_response(account)

    async def _control_reset(self, request: web.Request) -> web.StreamResponse:
        self.reset()
        return web.json_response({})

    async def _control_requests(self, request: web.Request) -> web.StreamResponse:
        records = [{**record, "body": _recorded_body(record.get("body", b"null"))} for record in self._requests]
        return web.Response(body=msgspec.json.encode(records), content_type="application/json")

    async def _control_waiting(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._waiting)

    def _next_step(self, script: str) -> Step:
        return self._scripts[script].popleft() if self._scripts[script] else Step()

    async def _delay(self, step: Step) -> None:
        await asyncio.sleep(self._latency_s if step.latency_s is None else step.latency_s)

    def _record_cost(self, call: Call, reply: Answer, started: float, cancelled: bool) -> None:
        """Record what the call cost, for `GET /generation` and `GET /key`."""
        assert call.request is not None
        self._usage += reply.cost_usd
        self._generations[call.generation_id] = generation_details(
            call.generation_id,
            api_type="image" if call.api == "images" else "completions",
            model=call.request.model.id,
            provider=call.request.model.provider,
            cost_usd=reply.cost_usd,
            native_finish_reason=reply.native_finish_reason,
            cancelled=cancelled,
            latency_ms=round((time.monotonic() - started) * 1000),
        )


def _parse_step(item: str | dict[str, Any]) -> Step:
    """Parse a step: a name, or an object `{"scenario": name, "latency_s": 2, …options}`."""
    options: dict[str, Any] = {"scenario": item} if isinstance(item, str) else dict(item)
    step = Step(options.pop("scenario", "ok"), options, options.pop("latency_s", None))
    if step.scenario not in SCENARIOS and step.scenario not in ERRORS:
        known = ", ".join(sorted([*SCENARIOS, *ERRORS]))
        raise web.HTTPBadRequest(text=f"Unknown scenario {step.scenario!r}. Known: {known}")
    return step


def _recorded_body(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")


def _refused(refusal: Refusal) -> Answer:
    return json_answer(error_body(refusal.status, refusal.error_type, refusal.message), refusal.status)


async def _send(request: web.Request, reply: Answer) -> web.StreamResponse:
    """Send an answer with its kind of ending."""
    if reply.ending == "stall":
        await asyncio.Event().wait()  # aiohttp cancels the handler when the client disconnects
    if reply.ending == "drop":
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = len(reply.body)
    await response.prepare(request)
    try:
        if reply.ending == "drip":
            for start in range(len(reply.body)):
                await response.write(reply.body[start : start + 1])
                await asyncio.sleep(0.05)
        elif reply.ending == "cut":
            await response.write(reply.body[: len(reply.body) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        else:
            await response.write(reply.body)
        await response.write_eof()
    except ConnectionResetError:
        pass  # A client may disconnect at any time.
    return response
