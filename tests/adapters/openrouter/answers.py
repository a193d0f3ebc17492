"""Answers for the tests of the decoder: pictures of several formats, and bodies that have them in some place."""

from functools import lru_cache
from typing import Any

import msgspec
import pybase64
import pyvips

from tests.adapters import photos

COST_USD = 0.038826
COST_NANO_USD = 38_826_000
USAGE = {"prompt_tokens": 345, "completion_tokens": 1299, "cost": COST_USD, "is_byok": False}


@lru_cache(maxsize=64)
def drawn(width: int = 48, height: int = 32, suffix: str = ".png") -> bytes:
    """Return a picture with four colours."""
    return encoded(photos.picture(width, height), suffix)


@lru_cache(maxsize=64)
def flat(width: int, height: int, suffix: str = ".png", colour: tuple[int, ...] = (214, 190, 170)) -> bytes:
    """Return a picture of one colour."""
    image = (pyvips.Image.black(width, height, bands=len(colour)) + list(colour)).cast("uchar")
    return encoded(image.copy(interpretation="srgb" if len(colour) > 2 else "b-w"), suffix)


def encoded(image: pyvips.Image, suffix: str) -> bytes:
    """Return an image as the bytes of a file; the suffix may have options, such as `.png[interlace]`."""
    data: bytes = image.write_to_buffer(suffix)
    return data


def base64(picture: bytes) -> str:
    """Return a picture as base64."""
    return pybase64.b64encode_as_string(picture)


def data_url(picture: bytes) -> str:
    """Return a picture as a data URL."""
    return f"data:image/png;base64,{base64(picture)}"


def entry(picture: bytes) -> dict[str, Any]:
    """Return the entry for a picture in `message.images`."""
    return {"type": "image_url", "image_url": {"url": data_url(picture)}}


def chat(message: Any, **fields: Any) -> dict[str, Any]:
    """Return a chat completion with this message and its usage."""
    choice = {"index": 0, "finish_reason": "stop", "native_finish_reason": "STOP", "message": message}
    return {"id": "gen-1", "model": "google/gemini", "choices": [choice], "usage": USAGE} | fields


def images(*entries: Any, **fields: Any) -> dict[str, Any]:
    """Return a chat completion with these entries in `message.images`."""
    return chat({"role": "assistant", "content": "", "images": list(entries)}, **fields)


def encode(body: Any) -> bytes:
    """Return a body as JSON."""
    return msgspec.json.encode(body)
