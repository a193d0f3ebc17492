"""Telling who listens."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.generation import Generation, Status


class GenerationChanged(msgspec.Struct, frozen=True, kw_only=True, tag="generation"):
    """A user's generation has changed; `status` is None when it is gone from their gallery."""

    user_id: str
    generation_id: UUID
    status: Status | None


class BalanceChanged(msgspec.Struct, frozen=True, kw_only=True, tag="balance"):
    """A user's balance has changed."""

    user_id: str


Event = GenerationChanged | BalanceChanged


def changes_of(generation: Generation) -> tuple[Event, ...]:
    """What to tell when a generation has come to stand as it does: credits move at its submission and refund."""
    changed = GenerationChanged(
        user_id=generation.user_id,
        generation_id=generation.id,
        status=None if generation.deleted_at else generation.status,
    )
    if generation.status in (Status.PENDING, Status.FAILED) and not generation.deleted_at:
        return changed, BalanceChanged(user_id=generation.user_id)
    return (changed,)


class Events(Protocol):
    """Tells whoever listens that something has changed, across processes where the adapter can.

    Events are hints: one may be lost, none carries what the store does not hold.
    """

    async def publish(self, *events: Event) -> None:
        """Tell the user's listeners. Never fails."""
        ...

    def subscribe(self, user_id: str) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of one user, published from the moment the block is entered until it is left. A listener
        that is too slow loses the oldest."""
        ...
