"""Fixtures of the OpenRouter adapter's tests: the emulator, models connected to it, and a photo."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plushify_adapters.openrouter import OpenRouterModel, OpenRouterOptions
from plushify_core.ports import EncodedImage
from tests.adapters import photos
from tests.adapters.openrouter.support import KEY, ModelOnEmulator
from tests.emulators.process import OpenRouterEmulator, openrouter_emulator


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[OpenRouterEmulator]:
    """One emulator for all tests of a session, or of a worker with xdist."""
    with openrouter_emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: OpenRouterEmulator) -> OpenRouterEmulator:
    """The emulator, reset."""
    emulator_process.reset()
    return emulator_process


@pytest.fixture
def model_on(emulator: OpenRouterEmulator) -> ModelOnEmulator:
    """Factory of models that pause between attempts only if the answer has a `Retry-After`."""

    @asynccontextmanager
    async def make(*, key: str = KEY, **options: Any) -> AsyncIterator[OpenRouterModel]:
        defaults: dict[str, Any] = {"base_url": emulator.base_url, "first_pause_s": 0.0}
        model = OpenRouterModel(key, OpenRouterOptions(**(defaults | options)))
        try:
            yield model
        finally:
            await model.aclose()

    return make


@pytest.fixture(scope="session")
def photo() -> EncodedImage:
    """A landscape photo, 3:2."""
    return EncodedImage(data=photos.jpeg(120, 80), media_type="image/jpeg", width=120, height=80)
