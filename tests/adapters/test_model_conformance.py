"""Every image model passes the contract suite of the port. That of OpenRouter has its own folder."""

import pytest

from plushify_adapters.conformance import ImageModelConformance
from plushify_adapters.felt import FeltModel
from plushify_adapters.images import VipsImageCodec
from plushify_adapters.memory import MemoryImageCodec, MemoryImageModel
from plushify_core.ports import EncodedImage
from tests.adapters import photos
from tests.adapters.test_codec_conformance import ppm


class TestMemoryImageModel(ImageModelConformance):
    """The image model in memory."""

    adapter = MemoryImageModel

    @pytest.fixture
    def codec(self) -> MemoryImageCodec:
        """Return a codec for PPM files."""
        return MemoryImageCodec()

    @pytest.fixture
    def photo(self) -> EncodedImage:
        """Return a PPM file."""
        return EncodedImage(data=ppm(60, 40), media_type="image/x-portable-pixmap", width=60, height=40)


class TestFeltModel(ImageModelConformance):
    """The felt model."""

    adapter = FeltModel

    @pytest.fixture
    def codec(self) -> VipsImageCodec:
        """Return a codec for JPEG files."""
        return VipsImageCodec()

    @pytest.fixture
    def photo(self) -> EncodedImage:
        """Return a JPEG."""
        return EncodedImage(data=photos.jpeg(), media_type="image/jpeg", width=60, height=40)
