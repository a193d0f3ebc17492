"""Every image codec keeps the contract."""

import pytest

from plushify_adapters.conformance import ImageCodecConformance
from plushify_adapters.conformance.codec import MakePhoto
from plushify_adapters.images import VipsImageCodec
from plushify_adapters.memory import MemoryImageCodec
from tests.adapters import photos


class TestMemoryImageCodec(ImageCodecConformance):
    adapter = MemoryImageCodec

    @pytest.fixture
    def codec(self) -> MemoryImageCodec:
        """The codec."""
        return MemoryImageCodec()

    @pytest.fixture
    def photo(self) -> MakePhoto:
        """A photo it reads."""
        return ppm

    @pytest.fixture
    def animated(self) -> bytes:
        """Two pictures in one file."""
        return ppm(40, 30) + ppm(40, 30)

    @pytest.fixture
    def secretive(self) -> bytes:
        """Something in the metadata."""
        return ppm(40, 30).replace(b"P6\n", b"P6\n# " + photos.SECRET + b"\n")

    @pytest.fixture
    def huge_header(self) -> bytes:
        """More than anyone has memory for."""
        return b"P6\n60000 60000\n255\n"


class VipsCodecConformance(ImageCodecConformance):
    """The same for every format: a subclass names its own."""

    kind: str

    @pytest.fixture
    def codec(self) -> VipsImageCodec:
        """The codec."""
        return VipsImageCodec()

    @pytest.fixture
    def photo(self) -> MakePhoto:
        """A photo it reads."""
        return photos.PLAIN[self.kind]

    @pytest.fixture
    def animated(self) -> bytes:
        """Two pictures in one file."""
        return photos.animated(self.kind)

    @pytest.fixture
    def secretive(self) -> bytes:
        """Something in the metadata."""
        return photos.secretive(self.kind)

    @pytest.fixture
    def huge_header(self) -> bytes:
        """More than anyone has memory for."""
        return photos.huge_header(self.kind)


class TestJpeg(VipsCodecConformance):
    adapter = VipsImageCodec
    kind = "jpeg"

    @pytest.fixture
    def animated(self) -> bytes:
        """Two pictures in one file."""
        return photos.animated("webp")  # a JPEG is always still


class TestPng(VipsCodecConformance):
    adapter = VipsImageCodec
    kind = "png"


class TestWebp(VipsCodecConformance):
    adapter = VipsImageCodec
    kind = "webp"

    @pytest.fixture
    def huge_header(self) -> bytes:
        """More than anyone has memory for."""
        return photos.huge_header("png")  # a WebP has at most 16383 px a side


class TestGif(VipsCodecConformance):
    adapter = VipsImageCodec
    kind = "gif"


def ppm(width: int, height: int) -> bytes:
    """A PPM file of many colours."""
    return b"P6\n%d %d\n255\n" % (width, height) + bytes(index % 251 for index in range(3 * width * height))
