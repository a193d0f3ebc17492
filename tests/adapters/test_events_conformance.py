"""Every way to tell about events keeps the contract."""

import pytest

from plushify_adapters.conformance import EventsConformance
from plushify_adapters.memory import MemoryEvents


class TestMemoryEvents(EventsConformance):
    adapter = MemoryEvents

    @pytest.fixture
    def events(self) -> MemoryEvents:
        """The adapter."""
        return MemoryEvents()
