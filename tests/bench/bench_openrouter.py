"""Benchmark of the OpenRouter adapter: time to decode an answer, and memory of a waiting call."""

import asyncio
import base64
import gc
import multiprocessing
import os
import resource
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pybase64
from openrouter.components import ChatResult
from openrouter.utils.unmarshal_json_response import unmarshal_json_response

from plushify_adapters.openrouter import OpenRouterModel, OpenRouterOptions
from plushify_adapters.openrouter._answer import read_answer
from plushify_core.ports import ModelError, ModelRequest
from tests.bench.timing import best_times_s
from tests.emulators.process import OpenRouterEmulator, openrouter_emulator

ROUNDS = 15
PICTURE_BYTES = 2_000_000
CALLS = 500
PHOTO_BYTES = 500_000
CHUNK_BYTES = 64 * 1024


def chat_answer(picture: bytes) -> bytes:
    """Return the body of a chat answer with this picture."""
    url = f"data:image/png;base64,{pybase64.b64encode_as_string(picture)}"
    message = {
        "role": "assistant",
        "content": "Here it is!",
        "images": [{"type": "image_url", "image_url": {"url": url}}],
    }
    choice = {"index": 0, "finish_reason": "stop", "native_finish_reason": "STOP", "message": message}
    return msgspec.json.encode(
        {
            "id": "gen-1",
            "provider": "Google",
            "model": "google/gemini-2.5-flash-image",
            "object": "chat.completion",
            "created": 1763838012,
            "system_fingerprint": None,
            "choices": [choice],
            "usage": {"prompt_tokens": 345, "completion_tokens": 1299, "total_tokens": 1644, "cost": 0.038826},
        }
    )


def by_sdk(body: bytes) -> bytes:
    """Return the picture as decoded by the published SDK and the standard library's base64."""
    response = httpx.Response(200, content=body, headers={"Content-Type": "application/json"})
    result = unmarshal_json_response(ChatResult, response)
    images = result.choices[0].message.images
    assert images
    return base64.b64decode(images[0].image_url.url.partition(",")[2])


def print_decoding_time() -> None:
    """Print the time to decode a chat answer, relative to the SDK and to bare base64."""
    picture = b"\x89PNG\r\n\x1a\n" + os.urandom(PICTURE_BYTES)
    body, encoded = chat_answer(picture), pybase64.b64encode(picture)
    assert read_answer(body).picture == by_sdk(body) == picture
    best = best_times_s(
        {
            "ours": lambda: read_answer(body),
            "sdk": lambda: by_sdk(body),
            "bare": lambda: pybase64.b64decode(encoded, validate=True),
        },
        rounds=ROUNDS,
    )
    print(
        f"a chat answer with a picture of 2 MB: {best['sdk'] / best['ours']:.1f} × as fast as the published SDK "
        f"with the standard library's base64 (aim: 10 or more), {best['ours'] / best['bare']:.2f} × the time of a bare "
        f"pybase64.b64decode (aim: 3 or less; {best['ours'] * 1e3:.2f} ms)"
    )


def resident_bytes() -> int:
    """Return the resident memory of this process (Linux only)."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


async def rss_of_waiting_calls(emulator: OpenRouterEmulator) -> tuple[int, int]:
    """Return the resident memory of this process in bytes: idle after one call, and with all calls waiting."""
    photo = b"\xff\xd8\xff" + os.urandom(PHOTO_BYTES - 3)

    async def open_photo() -> AsyncIterator[bytes]:
        for start in range(0, PHOTO_BYTES, CHUNK_BYTES):
            await asyncio.sleep(0)
            yield photo[start : start + CHUNK_BYTES]

    request = ModelRequest(
        prompt="Make it a plushie.",
        style="classic",
        photo_media_type="image/jpeg",
        photo_width=3,
        photo_height=2,
        photo_size_bytes=PHOTO_BYTES,
        open_photo=open_photo,
        longest_side_px=1024,
        user="someone",
        timeout_s=600,
    )
    model = OpenRouterModel("sk-or-bench", OpenRouterOptions(base_url=emulator.base_url))
    emulator.script(["refusal"])
    try:
        await model.generate(request)
    except ModelError:
        gc.collect()
    idle_bytes = resident_bytes()
    emulator.script(["stall"] * CALLS)
    calls = [asyncio.create_task(model.generate(request)) for _ in range(CALLS)]
    while await asyncio.to_thread(emulator.waiting) < CALLS:  # noqa: ASYNC110 - the emulator is another process
        await asyncio.sleep(0.2)
    gc.collect()
    waiting_bytes = resident_bytes()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await model.aclose()
    return idle_bytes, waiting_bytes


def measure_waiting() -> tuple[int, int]:
    """Measure the memory of waiting calls. Run it in a new process, because earlier work changes the memory."""
    with openrouter_emulator(keep=1) as emulator:
        return asyncio.run(rss_of_waiting_calls(emulator))


def print_waiting_memory() -> None:
    """Print the memory of a waiting call."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        idle_bytes, waiting_bytes = pool.submit(measure_waiting).result()
    call_bytes = (waiting_bytes - idle_bytes) / CALLS
    upload_bytes = PHOTO_BYTES + PHOTO_BYTES * 4 / 3
    print(
        f"{CALLS} waiting calls with a photo of 500 KB: {call_bytes / 1024:.1f} KiB per call above the idle process "
        f"(aim: under 64), {call_bytes / upload_bytes:.3f} × the size of the photo and its base64"
    )


def main() -> None:
    """Print one line per measurement."""
    print_waiting_memory()
    print_decoding_time()


if __name__ == "__main__":
    main()
