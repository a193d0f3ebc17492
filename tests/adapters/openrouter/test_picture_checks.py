"""Pixel size, blankness and completeness of pictures, read without an image library."""

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from plushify_adapters.openrouter._picture_checks import is_blank, is_complete
from plushify_adapters.openrouter._picture_size import picture_size, sniff_media_type
from tests.adapters import photos
from tests.adapters.openrouter.answers import drawn, encoded, flat

FORMATS = {
    ".png": "image/png",
    ".png[interlace]": "image/png",
    ".png[filter=all]": "image/png",
    ".png[palette]": "image/png",
    ".jpg[Q=90]": "image/jpeg",
    ".jpg[Q=60,optimize_coding]": "image/jpeg",
    ".jpg[interlace]": "image/jpeg",
    ".webp": "image/webp",
    ".webp[lossless]": "image/webp",
    ".webp[near_lossless]": "image/webp",
    ".gif": "image/gif",
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (17, 5), (48, 32), (640, 480)])
def test_reads_the_size_of_every_format(suffix: str, size: tuple[int, int]) -> None:
    """The media type and the size are read from the header, and a file whose second half is missing is incomplete."""
    picture = drawn(*size, suffix)

    assert (sniff_media_type(picture), picture_size(picture)) == (FORMATS[suffix], size)
    assert is_complete(picture)
    assert not is_complete(picture[: len(picture) // 2])


def test_reads_the_size_behind_metadata() -> None:
    """The thumbnail in a photo's metadata is not taken for the picture."""
    assert picture_size(photos.phone_jpeg(1)) == (60, 40)
    assert picture_size(photos.transparent("webp")) is not None


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (214, 190, 170)])
@pytest.mark.parametrize("size", [(256, 256), (301, 203), (1024, 768)])
def test_recognises_one_colour(suffix: str, colour: tuple[int, ...], size: tuple[int, int]) -> None:
    """A picture of one colour is blank in every format."""
    assert is_blank(flat(*size, suffix, colour))


@pytest.mark.parametrize("method", ["none", "sub", "up", "avg", "paeth", "all"])
@pytest.mark.parametrize("colour", [(7,), (7, 0), (7, 200, 9), (7, 200, 9, 0)])
def test_recognises_one_colour_in_any_png(method: str, colour: tuple[int, ...]) -> None:
    """One colour is recognised for every PNG filter, with and without colours and transparency, at any size."""
    for width, height in ((2, 3), (33, 21)):
        assert is_blank(flat(width, height, f".png[filter={method}]", colour))
        assert is_blank(flat(width, height, f".png[filter={method},interlace]", colour))


@pytest.mark.parametrize("depth", [1, 2, 4, 16])
def test_recognises_one_colour_at_any_bit_depth(depth: int) -> None:
    """One colour is recognised in a PNG with any number of bits per sample, and two colours are as well."""
    format_, white = ("ushort", 65_535) if depth == 16 else ("uchar", 255)
    one = (pyvips.Image.black(35, 21) + white).cast(format_).copy(interpretation="grey16" if depth == 16 else "b-w")
    two = one.draw_rect([0], 20, 20, 1, 1, fill=True)

    assert is_blank(encoded(one, f".png[bitdepth={depth}]"))
    assert not is_blank(encoded(two, f".png[bitdepth={depth}]"))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("size", [(2, 3), (17, 5), (48, 32), (640, 480)])
def test_a_drawn_picture_is_not_blank(suffix: str, size: tuple[int, int]) -> None:
    """A picture of several colours is not blank in any format."""
    assert not is_blank(drawn(*size, suffix))


def test_one_different_pixel_makes_a_png_a_picture() -> None:
    """The comparison goes to the last pixel."""
    image = (pyvips.Image.black(100, 80, bands=3) + 255).cast("uchar").copy(interpretation="srgb")

    for left, top in ((0, 0), (99, 0), (0, 79), (99, 79)):
        dotted = image.draw_rect([255, 255, 254], left, top, 1, 1, fill=True)
        assert not is_blank(encoded(dotted, ".png"))
        assert not is_blank(encoded(dotted, ".png[interlace]"))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 500), (500, 1)])
def test_a_tiny_picture_is_blank(size: tuple[int, int]) -> None:
    """A picture with a side of one pixel, or of four pixels at most, shows nothing."""
    assert is_blank(drawn(*size))


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_does_not_inflate_a_huge_picture(kind: str) -> None:
    """A picture that declares more pixels than anybody decodes is not looked into."""
    assert not is_blank(photos.huge_header(kind))


@given(st.sampled_from([drawn(20, 14, suffix) for suffix in FORMATS] + [flat(40, 30, ".jpg")]), st.data())
def test_damaged_pictures_raise_nothing(picture: bytes, data: st.DataObject) -> None:
    """A picture that is cut off or has changed bytes is checked without an error."""
    start = data.draw(st.integers(0, len(picture)))
    damaged = picture[:start] + data.draw(st.binary(max_size=6)) + picture[start + data.draw(st.integers(0, 6)) :]
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]

    picture_size(damaged)
    is_blank(damaged)
    is_complete(damaged)
