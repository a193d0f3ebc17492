"""What it costs to make an upload safe, against the same libvips, and Pillow if it is installed, without the care."""

import asyncio
import importlib.util
import io
import time
from collections.abc import Callable
from functools import partial

import pyvips

from plushify_adapters.images import VipsImageCodec
from tests.adapters import photos

WIDTH, HEIGHT, LONGEST_SIDE_PX, QUALITY = 4000, 3000, 1536, 88
ROUNDS = 7


def sanitised(upload: bytes, *, codec: VipsImageCodec, runner: asyncio.Runner) -> bytes:
    """By the adapter."""
    return runner.run(codec.sanitise(upload, max_pixels=WIDTH * HEIGHT)).data


def by_libvips(upload: bytes) -> bytes:
    """By libvips' own thumbnailer, which chooses a loader for whatever it is given and stops at no damage."""
    thumbnail = pyvips.Image.thumbnail_buffer(upload, LONGEST_SIDE_PX, height=LONGEST_SIDE_PX, size="down")
    return bytes(thumbnail.jpegsave_buffer(Q=QUALITY, keep="none"))


def by_pillow(upload: bytes) -> bytes:
    """As Pillow's documentation has it."""
    from PIL import Image, ImageOps  # only where it is installed: it is no dependency

    image = ImageOps.exif_transpose(Image.open(io.BytesIO(upload)))
    image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    written = io.BytesIO()
    image.convert("RGB").save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def best_s(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The shortest time of each, in seconds; they take turns, so that what disturbs one disturbs all."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(ROUNDS):
        for name, function in work.items():
            start = time.perf_counter()
            function()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def main() -> None:
    """Print one row per ratio."""
    upload = photos.phone_jpeg(6, width=HEIGHT, height=WIDTH)
    others: dict[str, Callable[[bytes], bytes]] = {"libvips' thumbnailer": by_libvips}
    if importlib.util.find_spec("PIL"):
        others["Pillow"] = by_pillow
    with asyncio.Runner() as runner:
        ours = partial(sanitised, upload, codec=VipsImageCodec(), runner=runner)
        best = best_s({"ours": ours} | {name: partial(function, upload) for name, function in others.items()})
    for name in others:
        ratio = best[name] / best["ours"]
        print(
            f"a phone's JPEG of 12 megapixels made safe: {ratio:.2f} × as fast as {name} ({best['ours'] * 1e3:.0f} ms)"
        )


if __name__ == "__main__":
    main()
