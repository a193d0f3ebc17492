"""Benchmark of sanitising an upload, compared with plain libvips, and with Pillow if it is installed."""

import asyncio
import importlib.util
import io
from collections.abc import Callable
from functools import partial

import pyvips

from plushify_adapters.images import VipsImageCodec
from tests.adapters import photos
from tests.bench.timing import best_times_s

WIDTH, HEIGHT, LONGEST_SIDE_PX, QUALITY = 4000, 3000, 1536, 88
ROUNDS = 7


def sanitised(upload: bytes, *, codec: VipsImageCodec, runner: asyncio.Runner) -> bytes:
    """Return the photo sanitised by the adapter."""
    return runner.run(codec.sanitise(upload, max_pixels=WIDTH * HEIGHT)).data


def by_libvips(upload: bytes) -> bytes:
    """Return the photo scaled by libvips' thumbnailer, which accepts every format and damaged files."""
    thumbnail = pyvips.Image.thumbnail_buffer(upload, LONGEST_SIDE_PX, height=LONGEST_SIDE_PX, size="down")
    return bytes(thumbnail.jpegsave_buffer(Q=QUALITY, keep="none"))


def by_pillow(upload: bytes) -> bytes:
    """Return the photo scaled as in Pillow's documentation."""
    from PIL import Image, ImageOps  # not a dependency of the project

    image = ImageOps.exif_transpose(Image.open(io.BytesIO(upload)))
    image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    written = io.BytesIO()
    image.convert("RGB").save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def main() -> None:
    """Print one line per ratio."""
    upload = photos.phone_jpeg(6, width=HEIGHT, height=WIDTH)
    others: dict[str, Callable[[bytes], bytes]] = {"libvips' thumbnailer": by_libvips}
    if importlib.util.find_spec("PIL"):
        others["Pillow"] = by_pillow
    with asyncio.Runner() as runner:
        ours = partial(sanitised, upload, codec=VipsImageCodec(), runner=runner)
        theirs = {name: partial(function, upload) for name, function in others.items()}
        best = best_times_s({"ours": ours} | theirs, rounds=ROUNDS)
    for name in others:
        ratio = best[name] / best["ours"]
        print(
            f"a phone's JPEG of 12 megapixels sanitised: {ratio:.2f} × as fast as {name} ({best['ours'] * 1e3:.0f} ms)"
        )


if __name__ == "__main__":
    main()
