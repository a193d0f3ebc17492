"""Events: hints to subscribers that something has changed."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.domain.generation import Generation, Status


class GenerationChanged(msgspec.Struct, frozen=True, kw_only=True, tag="generation"):
    """Change of a generation. `status` is None if it is no longer in the gallery of its user."""

    user_id: str
    generation_id: UUID
    status: Status | None


class BalanceChanged(msgspec.Struct, frozen=True, kw_only=True, tag="balance"):
    """Change of the balance of a user."""

    user_id: str


Event = GenerationChanged | BalanceChanged


def changes_of(generation: Generation) -> tuple[Event, ...]:
    """Return the events to publish after a change of a generation.

    The submission and the refund of a generation change the balance of its user, so they add a `BalanceChanged` event.

    Args:
        generation: the generation after the change.
    """
    changed = GenerationChanged(
        user_id=generation.user_id,
        generation_id=generation.id,
        status=None if generation.deleted_at else generation.status,
    )
    if generation.status in (Status.PENDING, Status.FAILED) and not generation.deleted_at:
        return changed, BalanceChanged(user_id=generation.user_id)
    return (changed,)


class Events(Protocol):
    """Publisher of changes to subscribers, across processes if the adapter can.

    Events are hints: an event may be lost, and the store remains the only source of truth.
    """

    async def publish(self, *events: Event) -> None:
        """Publish the events to the subscribers of their users. Never raise."""
        ...

    def subscribe(self, user_id: str) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Return the events of one user that are published while the block is open.

        A subscriber that reads too slowly loses the oldest events.
        """
        ...
