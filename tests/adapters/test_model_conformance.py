"""Every image model keeps the contract."""

import pytest

from plushify_adapters.conformance import ImageModelConformance
from plushify_adapters.felt import FeltModel
from plushify_adapters.images import VipsImageCodec
from plushify_adapters.memory import MemoryImageCodec, MemoryImageModel
from plushify_core.ports import EncodedImage
from tests.adapters import photos
from tests.adapters.test_codec_conformance import ppm


class TestMemoryImageModel(ImageModelConformance):
    adapter = MemoryImageModel

    @pytest.fixture
    def model(self) -> MemoryImageModel:
        """The model."""
        return MemoryImageModel()

    @pytest.fixture
    def codec(self) -> MemoryImageCodec:
        """The codec."""
        return MemoryImageCodec()

    @pytest.fixture
    def photo(self) -> EncodedImage:
        """A photo it reads."""
        return EncodedImage(data=ppm(60, 40), media_type="image/x-portable-pixmap", width=60, height=40)


class TestFeltModel(ImageModelConformance):
    adapter = FeltModel

    @pytest.fixture
    def model(self) -> FeltModel:
        """The model."""
        return FeltModel()

    @pytest.fixture
    def codec(self) -> VipsImageCodec:
        """The codec."""
        return VipsImageCodec()

    @pytest.fixture
    def photo(self) -> EncodedImage:
        """A photo it reads."""
        return EncodedImage(data=photos.jpeg(), media_type="image/jpeg", width=60, height=40)
