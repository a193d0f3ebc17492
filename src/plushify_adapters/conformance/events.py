"""What every way to tell about events does."""

import asyncio
from typing import Any, ClassVar
from uuid import UUID

import pytest

from plushify_core.domain.generation import Status
from plushify_core.ports import BalanceChanged, Event, Events, GenerationChanged

MORE_THAN_ANYONE_KEEPS = 10_000


class EventsConformance:
    """The contract of `Events`. A subclass sets `adapter` and supplies `events`."""

    adapter: ClassVar[type[Events]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def events(self) -> Events:
        """The adapter."""
        raise NotImplementedError

    def test_is_the_declared_adapter(self, events: Events) -> None:
        """The suite runs on the adapter that it says it runs on."""
        assert type(events) is self.adapter

    async def test_tells_a_listener_in_order(self, events: Events) -> None:
        """What is published for a user arrives as it was, in the order in which it was published."""
        published = [changed("ann", 1), BalanceChanged(user_id="ann"), changed("ann", 2, None), changed("ann", 3)]

        async with events.subscribe("ann") as heard:
            await events.publish(*published[:3])
            await events.publish(published[3])

            assert [await anext(heard) for _ in published] == published

    async def test_tells_nobody_else(self, events: Events) -> None:
        """A user hears nothing about another, not even about one whose id begins alike."""
        async with events.subscribe("ann") as heard:
            await events.publish(changed("bob", 1), changed("anna", 2), changed("an", 3), changed("ann", 4))

            assert await anext(heard) == changed("ann", 4)

    async def test_every_listener_hears_all(self, events: Events) -> None:
        """Two pages of one user are both told, at their own pace."""
        async with events.subscribe("ann") as first, events.subscribe("ann") as second:
            await events.publish(changed("ann", 1), changed("ann", 2))

            assert [await anext(first), await anext(first)] == [changed("ann", 1), changed("ann", 2)]
            assert [await anext(second), await anext(second)] == [changed("ann", 1), changed("ann", 2)]

    async def test_tells_nothing_of_the_past(self, events: Events) -> None:
        """A listener hears what is published from the moment it listens."""
        await events.publish(changed("ann", 1))

        async with events.subscribe("ann") as heard:
            await events.publish(changed("ann", 2))

            assert await anext(heard) == changed("ann", 2)

    async def test_who_left_holds_nobody_up(self, events: Events) -> None:
        """When one listener has left, by an exception too, the other and the next go on."""
        async with events.subscribe("ann") as staying:
            with pytest.raises(ConnectionError):
                async with events.subscribe("ann"):
                    raise ConnectionError
            await events.publish(changed("ann", 1))

            assert await anext(staying) == changed("ann", 1)

        async with events.subscribe("ann") as next_one:
            await events.publish(changed("ann", 2))

            assert await anext(next_one) == changed("ann", 2)

    async def test_waits_for_what_is_to_come(self, events: Events) -> None:
        """A listener that came to the end waits, and hears what is published then."""
        async with events.subscribe("ann") as heard:
            waiting = asyncio.ensure_future(anext(heard))
            await asyncio.sleep(0)
            assert not waiting.done()

            await events.publish(changed("ann", 1))

            assert await waiting == changed("ann", 1)

    async def test_publishing_to_nobody(self, events: Events) -> None:
        """It is no error that nobody listens, or that there is nothing to tell."""
        await events.publish(changed("ann", 1))
        await events.publish()

    async def test_who_is_too_slow_loses_the_oldest(self, events: Events) -> None:
        """Nobody waits for a listener that does not listen; the latest news reach it all the same."""
        async with events.subscribe("ann") as heard:
            for number in range(MORE_THAN_ANYONE_KEEPS):
                await events.publish(changed("ann", number))

            newest = changed("ann", MORE_THAN_ANYONE_KEEPS - 1)
            received = [await anext(heard)]
            while received[-1] != newest:
                received.append(await anext(heard))

        assert len(received) < MORE_THAN_ANYONE_KEEPS
        numbers = [event.generation_id.int for event in received if isinstance(event, GenerationChanged)]
        assert numbers == sorted(numbers)


def changed(user_id: str, number: int, status: Status | None = Status.SUCCEEDED) -> Event:
    """An event about the generation with this number."""
    return GenerationChanged(user_id=user_id, generation_id=UUID(int=number), status=status)
