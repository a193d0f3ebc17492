"""The OpenRouter model fulfils the contract of image models over both APIs."""

import httpx
import pytest

from plushify_adapters.conformance import ImageModelConformance
from plushify_adapters.images import VipsImageCodec
from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions
from plushify_core.ports import EncodedImage
from tests.adapters.openrouter.support import KEY
from tests.emulators.process import OpenRouterEmulator


@pytest.mark.parametrize("api", list(Api))
class TestOpenRouterModel(ImageModelConformance):
    adapter = OpenRouterModel

    @pytest.fixture
    def model(self, emulator: OpenRouterEmulator, api: Api) -> OpenRouterModel:
        """A model connected to the emulator, with a client that keeps no connection open."""
        client = httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0))
        return OpenRouterModel(KEY, OpenRouterOptions(base_url=emulator.base_url, api=api), client=client)

    @pytest.fixture
    def codec(self) -> VipsImageCodec:
        """The codec of the application."""
        return VipsImageCodec()

    @pytest.fixture
    def photo(self, photo: EncodedImage) -> EncodedImage:
        """The photo of the OpenRouter tests."""
        return photo
