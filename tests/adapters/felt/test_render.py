"""What a felt picture is: of the promised size, always the same, felt, and still the photo's."""

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
    """The teddy in felt; drawn once however many tests look at it."""
    return render(TEDDY, style, side_px)


def test_there_is_a_recipe_for_every_style_of_the_catalog() -> None:
    """The five styles that Plushify comes with are the five that are drawn here."""
    assert [style.id for style in DEFAULT_CATALOG.styles] == STYLES


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("photo_size", "expected"),
    [((120, 80), (192, 128)), ((80, 120), (128, 192))],
)
def test_the_longest_side_is_as_asked(style: str, photo_size: tuple[int, int], expected: tuple[int, int]) -> None:
    """A picture has the size that was asked for, in the photo's proportions."""
    assert size(render(encoded(teddy(*photo_size)), style, 192)) == expected


@pytest.mark.parametrize("side_px", [512, 1024, 2048])
def test_every_quality_has_its_true_size(side_px: int) -> None:
    """The sizes that are sold are delivered."""
    assert size(drawn("classic", side_px)) == (side_px, side_px * 3 // 4)


@pytest.mark.parametrize("side_px", [1024, 2048])
def test_fabric_is_made_at_the_size_of_the_picture(side_px: int) -> None:
    """A larger picture is not a smaller one enlarged: fibres and thread are drawn at the size asked for."""
    large = decoded(drawn("classic", side_px)).astype(float)
    enlarged = pyvips.Image.new_from_buffer(drawn("classic", side_px // 2), "").resize(2, kernel="lanczos3").numpy()

    assert sharpness(large) > 1.5 * sharpness(enlarged.astype(float))


@pytest.mark.parametrize("style", STYLES)
def test_every_size_shows_the_same_picture(style: str) -> None:
    """Only the fineness of the fabric depends on the size."""
    assert correlation(composition(drawn(style, 256)), composition(drawn(style, 512))) > 0.98


def test_the_same_photo_gives_the_same_bytes() -> None:
    """Nothing is left to chance."""
    assert render(TEDDY, "kawaii", 256) == drawn("kawaii")


@pytest.mark.parametrize(("threads", "hash_seed"), [("1", "1"), ("3", "2")])
def test_another_process_gives_the_same_bytes(threads: str, hash_seed: str) -> None:
    """Neither the number of threads nor Python's hash seed changes a picture."""
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
    """No two styles look alike: in the fabric, and in the colours even from afar."""
    assert distance(decoded(drawn(one)), decoded(drawn(other))) > 15
    assert distance(_from_afar(drawn(one)), _from_afar(drawn(other))) > 12


def _from_afar(picture: bytes) -> Pixels:
    return np.asarray(pyvips.Image.thumbnail_buffer(picture, 12).numpy())


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_is_not_the_photo(style: str) -> None:
    """The photo is transformed, not framed: it differs from the photo all over, and its middle is fabric."""
    felt = decoded(drawn(style))
    photo = np.asarray(pyvips.Image.thumbnail_buffer(TEDDY, 256).numpy())

    assert distance(felt, photo) > 15
    assert sharpness(_middle(felt)) > 1.8 * sharpness(_middle(photo))


def _middle(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    height, width, _ = pixels.shape
    return pixels[height // 4 : -height // 4, width // 4 : -width // 4].astype(float)


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_keeps_the_composition(style: str) -> None:
    """What is light and dark stays where it was, but for the head that chibi enlarges."""
    assert correlation(composition(drawn(style)), composition(TEDDY)) > 0.7


def test_a_style_of_ones_own_is_drawn_as_classic() -> None:
    """Catalogs are configurable: a style without a recipe is made by that of the classic one."""
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
def test_tiny_and_long_photos(style: str, photo_size: tuple[int, int], expected: tuple[int, int]) -> None:
    """No photo is too small or too long to be drawn."""
    width, height = photo_size
    photo = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)

    assert size(render(encoded(photo), style, 64)) == expected


@pytest.mark.parametrize("side_px", [1, 2, 5])
def test_tiny_pictures(side_px: int) -> None:
    """No picture is too small to be made."""
    assert max(size(render(TEDDY, "classic", side_px))) == side_px


def test_a_photo_of_one_colour() -> None:
    """Where there is nothing to cut, one piece of felt remains, with fabric on it."""
    felt = decoded(render(encoded(np.full((60, 80, 3), 128, dtype=np.uint8)), "classic", 128))

    assert 2 < _middle(felt).std() < 20


def test_a_grey_photo_is_drawn_like_the_same_in_colour() -> None:
    """A photo with one band is the photo with three equal ones."""
    grey = teddy()[..., :1]

    assert render(encoded(grey), "classic", 128) == render(encoded(grey.repeat(3, axis=2)), "classic", 128)


def test_what_is_transparent_becomes_backdrop() -> None:
    """A cut-out subject lies on felt of the backdrop's colour, whatever its invisible pixels hold."""
    opacity = np.zeros((180, 240, 1), dtype=np.uint8)
    opacity[40:140, 80:160] = 255
    black, white = np.zeros((180, 240, 3), dtype=np.uint8), np.full((180, 240, 3), 255, dtype=np.uint8)
    hidden_black, hidden_white = (
        encoded(np.concatenate([np.where(opacity > 0, teddy(), ground), opacity], axis=-1)) for ground in (black, white)
    )

    felt = render(hidden_black, "kawaii", 128)

    assert felt == render(hidden_white, "kawaii", 128)
    assert decoded(felt)[10:40, 20:30].mean() > 150


def test_a_photo_taken_sideways_is_upright() -> None:
    """The orientation a camera noted is applied before anything is measured."""
    sideways = pyvips.Image.new_from_buffer(TEDDY, "").rot270().copy()
    sideways.set_type(pyvips.GValue.gint_type, "orientation", 6)

    felt = render(bytes(sideways.jpegsave_buffer(Q=95)), "classic", 128)

    assert size(felt) == (128, 96)
    assert correlation(composition(felt), composition(TEDDY)) > 0.7


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kept", [0.5, 0.98])
def test_a_file_cut_short(suffix: str, kept: float) -> None:
    """Half a photo is not drawn as if it were whole."""
    photo = encoded(teddy(), suffix)

    with pytest.raises(UnreadablePhoto):
        render(photo[: int(kept * len(photo))], "classic", 64)


@pytest.mark.parametrize("garbage", [b"", b"no photo", bytes(1000)], ids=["empty", "text", "zeros"])
def test_no_photo(garbage: bytes) -> None:
    """What is no picture is refused."""
    with pytest.raises(UnreadablePhoto):
        render(garbage, "classic", 64)
