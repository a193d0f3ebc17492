"""Tests of rendered felt pictures: size, determinism, fabric, and likeness to the photo."""

import functools
import hashlib
import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
import pyvips

from plushify_adapters.felt import UnreadablePhoto, render
from plushify_core.domain.catalog import DEFAULT_CATALOG
from tests.adapters.felt.scenes import (
    Pixels,
    composition,
    correlation,
    decoded,
    distance,
    encoded,
    sharpness,
    size,
    teddy,
)

STYLES = ["classic", "kawaii", "realistic", "cartoon", "chibi"]
TEDDY = encoded(teddy())


@functools.cache
def drawn(style: str, side_px: int = 256) -> bytes:
    """Return the teddy in felt, cached because many tests use it."""
    return render(TEDDY, style, side_px)


def test_these_tests_cover_every_style_of_the_default_catalog() -> None:
    """The styles tested here are the styles of the default catalog, in its order."""
    assert [style.id for style in DEFAULT_CATALOG.styles] == STYLES


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("photo_size", "expected"),
    [((120, 80), (192, 128)), ((80, 120), (128, 192))],
)
def test_a_picture_has_the_requested_longest_side(
    style: str, photo_size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """The longest side has the requested length, and the aspect ratio is that of the photo."""
    assert size(render(encoded(teddy(*photo_size)), style, 192)) == expected


@pytest.mark.parametrize("side_px", [512, 1024, 2048])
def test_a_picture_has_the_size_of_its_quality(side_px: int) -> None:
    """Pictures in the sizes of the default qualities have exactly these sizes."""
    assert size(drawn("classic", side_px)) == (side_px, side_px * 3 // 4)


@pytest.mark.parametrize("side_px", [1024, 2048])
def test_fabric_is_drawn_at_the_size_of_the_picture(side_px: int) -> None:
    """A large picture has finer fibres and thread than a small one that is enlarged."""
    large = decoded(drawn("classic", side_px)).astype(float)
    enlarged = pyvips.Image.new_from_buffer(drawn("classic", side_px // 2), "").resize(2, kernel="lanczos3").numpy()

    assert sharpness(large) > 1.5 * sharpness(enlarged.astype(float))


@pytest.mark.parametrize("style", STYLES)
def test_every_size_shows_the_same_picture(style: str) -> None:
    """The composition is the same at every size."""
    assert correlation(composition(drawn(style, 256)), composition(drawn(style, 512))) > 0.98


def test_the_same_photo_gives_the_same_bytes() -> None:
    """Rendering is deterministic within one process."""
    assert render(TEDDY, "kawaii", 256) == drawn("kawaii")


@pytest.mark.parametrize(("threads", "hash_seed"), [("1", "1"), ("3", "2")])
def test_another_process_gives_the_same_bytes(threads: str, hash_seed: str) -> None:
    """The number of threads and Python's hash seed do not change a picture."""
    script = (
        "import hashlib, sys; from plushify_adapters.felt import render; "
        "print(hashlib.sha256(render(sys.stdin.buffer.read(), 'chibi', 256)).hexdigest())"
    )
    limits = dict.fromkeys(("VIPS_CONCURRENCY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)

    answer = subprocess.run(
        [sys.executable, "-c", script],
        input=TEDDY,
        env={**os.environ, **limits, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
    )

    assert answer.stdout.decode().strip() == hashlib.sha256(drawn("chibi")).hexdigest()


@pytest.mark.parametrize(("one", "other"), list(combinations(STYLES, 2)))
def test_styles_differ(one: str, other: str) -> None:
    """Any two styles differ in their pixels, and in their colours at 12 px."""
    assert distance(decoded(drawn(one)), decoded(drawn(other))) > 15
    assert distance(_at_12_px(drawn(one)), _at_12_px(drawn(other))) > 12


def _at_12_px(picture: bytes) -> Pixels:
    return np.asarray(pyvips.Image.thumbnail_buffer(picture, 12).numpy())


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_is_not_the_photo(style: str) -> None:
    """The whole picture differs from the photo, and its middle has the fine detail of fabric."""
    felt = decoded(drawn(style))
    photo = np.asarray(pyvips.Image.thumbnail_buffer(TEDDY, 256).numpy())

    assert distance(felt, photo) > 15
    assert sharpness(_middle(felt)) > 1.8 * sharpness(_middle(photo))


def _middle(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    height, width, _ = pixels.shape
    return pixels[height // 4 : -height // 4, width // 4 : -width // 4].astype(float)


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_keeps_the_composition(style: str) -> None:
    """Light and dark areas stay where they are in the photo, apart from the head that chibi enlarges."""
    assert correlation(composition(drawn(style)), composition(TEDDY)) > 0.7


def test_a_custom_style_is_drawn_like_classic() -> None:
    """A style that only an operator's catalog has gets the same picture as the classic style."""
    assert render(TEDDY, "steampunk", 256) == drawn("classic")


@pytest.mark.parametrize(
    ("photo_size", "expected"),
    [
        ((1, 1), (64, 64)),
        ((2, 2), (64, 64)),
        ((1, 2), (32, 64)),
        ((3, 1), (64, 21)),
        ((3000, 1), (64, 1)),
        ((1, 3000), (1, 64)),
        ((2000, 40), (64, 1)),
        ((900, 60), (64, 4)),
    ],
)
@pytest.mark.parametrize("style", ["realistic", "chibi"])
def test_draws_tiny_and_very_long_photos(style: str, photo_size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Photos of any size and aspect ratio are drawn, with sides of at least 1 px."""
    width, height = photo_size
    photo = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)

    assert size(render(encoded(photo), style, 64)) == expected


@pytest.mark.parametrize("side_px", [1, 2, 5])
def test_draws_tiny_pictures(side_px: int) -> None:
    """Pictures of any size are drawn, down to 1 px."""
    assert max(size(render(TEDDY, "classic", side_px))) == side_px


def test_a_photo_of_one_colour_becomes_plain_felt() -> None:
    """A photo without any contours becomes one piece of felt that still has the texture of fabric."""
    felt = decoded(render(encoded(np.full((60, 80, 3), 128, dtype=np.uint8)), "classic", 128))

    assert 2 < _middle(felt).std() < 20


def test_a_photo_with_one_band_equals_one_with_three_equal_bands() -> None:
    """A greyscale file gives the same picture as the same photo stored in RGB."""
    grey = teddy()[..., :1]

    assert render(encoded(grey), "classic", 128) == render(encoded(grey.repeat(3, axis=2)), "classic", 128)


def test_transparent_pixels_get_the_colour_of_the_backdrop() -> None:
    """The colour stored in transparent pixels has no effect; they are drawn in the colour of the backdrop."""
    opacity = np.zeros((180, 240, 1), dtype=np.uint8)
    opacity[40:140, 80:160] = 255
    black, white = np.zeros((180, 240, 3), dtype=np.uint8), np.full((180, 240, 3), 255, dtype=np.uint8)
    hidden_black, hidden_white = (
        encoded(np.concatenate([np.where(opacity > 0, teddy(), hidden), opacity], axis=-1)) for hidden in (black, white)
    )

    felt = render(hidden_black, "kawaii", 128)

    assert felt == render(hidden_white, "kawaii", 128)
    assert decoded(felt)[10:40, 20:30].mean() > 150


def test_a_rotated_photo_is_drawn_upright() -> None:
    """The EXIF orientation is applied before the size is computed."""
    sideways = pyvips.Image.new_from_buffer(TEDDY, "").rot270().copy()
    sideways.set_type(pyvips.GValue.gint_type, "orientation", 6)

    felt = render(bytes(sideways.jpegsave_buffer(Q=95)), "classic", 128)

    assert size(felt) == (128, 96)
    assert correlation(composition(felt), composition(TEDDY)) > 0.7


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kept", [0.5, 0.98])
def test_refuses_a_truncated_file(suffix: str, kept: float) -> None:
    """A file without its last bytes raises `UnreadablePhoto`."""
    photo = encoded(teddy(), suffix)

    with pytest.raises(UnreadablePhoto):
        render(photo[: int(kept * len(photo))], "classic", 64)


@pytest.mark.parametrize("garbage", [b"", b"no photo", bytes(1000)], ids=["empty", "text", "zeros"])
def test_refuses_bytes_that_are_no_image(garbage: bytes) -> None:
    """Bytes in no image format raise `UnreadablePhoto`."""
    with pytest.raises(UnreadablePhoto):
        render(garbage, "classic", 64)
