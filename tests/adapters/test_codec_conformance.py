"""Every image codec passes the contract suite of the port."""

import pytest

from plushify_adapters.conformance import ImageCodecConformance
from plushify_adapters.conformance.codec import MakePhoto
from plushify_adapters.images import VipsImageCodec
from plushify_adapters.memory import MemoryImageCodec
from tests.adapters import photos


class TestMemoryImageCodec(ImageCodecConformance):
    """The codec in memory, which reads PPM files."""

    adapter = MemoryImageCodec

    @pytest.fixture
    def photo(self) -> MakePhoto:
        """Return a function that makes a PPM file."""
        return ppm

    @pytest.fixture
    def animated(self) -> bytes:
        """Return two pictures in one file."""
        return ppm(40, 30) + ppm(40, 30)

    @pytest.fixture
    def secretive(self) -> bytes:
        """Return a photo with a comment."""
        return ppm(40, 30).replace(b"P6\n", b"P6\n# " + photos.SECRET + b"\n")

    @pytest.fixture
    def huge_header(self) -> bytes:
        """Return only a header."""
        return b"P6\n60000 60000\n255\n"


class VipsCodecConformance(ImageCodecConformance):
    """The vips codec with files of one format: a subclass sets `kind`."""

    kind: str

    @pytest.fixture
    def photo(self) -> MakePhoto:
        """Return a function that makes a photo in the format."""
        return photos.PLAIN[self.kind]

    @pytest.fixture
    def animated(self) -> bytes:
        """Return an animated file in the format."""
        return photos.animated(self.kind)

    @pytest.fixture
    def secretive(self) -> bytes:
        """Return a photo with metadata."""
        return photos.secretive(self.kind)

    @pytest.fixture
    def huge_header(self) -> bytes:
        """Return a small file that declares a huge size."""
        return photos.huge_header(self.kind)


class TestJpeg(VipsCodecConformance):
    """The vips codec with JPEG files."""

    adapter = VipsImageCodec
    kind = "jpeg"

    @pytest.fixture
    def animated(self) -> bytes:
        """Return a WebP instead, because JPEG has no animations."""
        return photos.animated("webp")


class TestPng(VipsCodecConformance):
    """The vips codec with PNG files."""

    adapter = VipsImageCodec
    kind = "png"


class TestWebp(VipsCodecConformance):
    """The vips codec with WebP files."""

    adapter = VipsImageCodec
    kind = "webp"

    @pytest.fixture
    def huge_header(self) -> bytes:
        """Return a PNG instead, because a side of a WebP has at most 16383 px."""
        return photos.huge_header("png")


class TestGif(VipsCodecConformance):
    """The vips codec with GIF files."""

    adapter = VipsImageCodec
    kind = "gif"


def ppm(width: int, height: int) -> bytes:
    """Return a PPM file with many colours."""
    return b"P6\n%d %d\n255\n" % (width, height) + bytes(index % 251 for index in range(3 * width * height))
