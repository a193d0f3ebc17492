"""Contract of every events adapter."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar
from uuid import UUID

import pytest

from plushify_core.domain.generation import Status
from plushify_core.ports import BalanceChanged, Event, Events, GenerationChanged

MORE_THAN_ANY_BUFFER = 10_000
"""Number of events that exceeds the buffer of every adapter."""


class EventsConformance:
    """Contract of `Events`. A subclass sets `adapter`. It overrides `events` if the adapter needs arguments."""

    adapter: ClassVar[type[Events]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def events(self) -> Events:
        """Return the adapter."""
        return self.adapter()

    async def test_is_the_declared_adapter(self, events: Events) -> None:
        """The suite runs on the adapter that it declares."""
        assert type(events) is self.adapter

    async def test_delivers_events_in_order(self, events: Events) -> None:
        """A subscriber receives the events of its user unchanged, in the order of their publication."""
        published = [changed("ann", 1), BalanceChanged(user_id="ann"), changed("ann", 2, None), changed("ann", 3)]

        async with events.subscribe("ann") as received:
            await events.publish(*published[:3])
            await events.publish(published[3])

            assert [await anext(received) for _ in published] == published

    async def test_delivers_only_the_events_of_the_user(self, events: Events) -> None:
        """A subscriber receives no events of other users, even if their ids begin alike."""
        async with events.subscribe("ann") as received:
            await events.publish(changed("bob", 1), changed("anna", 2), changed("an", 3), changed("ann", 4))

            assert await anext(received) == changed("ann", 4)

    async def test_delivers_to_all_subscribers_of_a_user(self, events: Events) -> None:
        """Two subscribers of one user both receive all events, each at its own pace."""
        async with events.subscribe("ann") as first, events.subscribe("ann") as second:
            await events.publish(changed("ann", 1), changed("ann", 2))

            assert [await anext(first), await anext(first)] == [changed("ann", 1), changed("ann", 2)]
            assert [await anext(second), await anext(second)] == [changed("ann", 1), changed("ann", 2)]

    async def test_delivers_no_earlier_events(self, events: Events) -> None:
        """A subscriber receives only events that are published after it has subscribed."""
        await events.publish(changed("ann", 1))

        async with events.subscribe("ann") as received:
            await events.publish(changed("ann", 2))

            assert await anext(received) == changed("ann", 2)

    async def test_an_ended_subscription_affects_no_other(self, events: Events) -> None:
        """After one subscriber has ended with an exception, other and later subscribers receive events."""
        async with events.subscribe("ann") as first:
            with pytest.raises(ConnectionError):
                async with events.subscribe("ann"):
                    raise ConnectionError
            await events.publish(changed("ann", 1))

            assert await anext(first) == changed("ann", 1)

        async with events.subscribe("ann") as later:
            await events.publish(changed("ann", 2))

            assert await anext(later) == changed("ann", 2)

    async def test_a_subscriber_waits_for_the_next_event(self, events: Events) -> None:
        """A subscriber without unread events waits, and receives the next one."""
        async with events.subscribe("ann") as received:
            waiting = asyncio.create_task(read_one(received))
            await asyncio.sleep(0)
            assert not waiting.done()

            await events.publish(changed("ann", 1))

            assert await waiting == changed("ann", 1)

    async def test_publishes_without_subscribers(self, events: Events) -> None:
        """`publish` raises nothing if there are no subscribers, or no events."""
        await events.publish(changed("ann", 1))
        await events.publish()

    async def test_a_slow_subscriber_loses_the_oldest_events(self, events: Events) -> None:
        """`publish` does not wait for a slow subscriber, which loses the oldest events and receives the newest."""
        async with events.subscribe("ann") as received:
            for number in range(MORE_THAN_ANY_BUFFER):
                await events.publish(changed("ann", number))

            newest = changed("ann", MORE_THAN_ANY_BUFFER - 1)
            seen = [await anext(received)]
            while seen[-1] != newest:
                seen.append(await anext(received))

        assert len(seen) < MORE_THAN_ANY_BUFFER
        numbers = [event.generation_id.int for event in seen if isinstance(event, GenerationChanged)]
        assert numbers == sorted(numbers)


async def read_one(received: AsyncIterator[Event]) -> Event:
    """Return the next event."""
    return await anext(received)


def changed(user_id: str, number: int, status: Status | None = Status.SUCCEEDED) -> Event:
    """Return an event about the generation with this number."""
    return GenerationChanged(user_id=user_id, generation_id=UUID(int=number), status=status)
