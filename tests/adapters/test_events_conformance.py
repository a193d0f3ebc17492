"""Every events adapter passes the contract suite of the port."""

from plushify_adapters.conformance import EventsConformance
from plushify_adapters.memory import MemoryEvents


class TestMemoryEvents(EventsConformance):
    """The events in memory."""

    adapter = MemoryEvents
