"""The way out: how a drawing ended, committed as one with what it means for the credits."""

import asyncio
import logging

from plushify_core.bookkeeping import Bookkeeping
from plushify_core.drawing import Drawing, Drawn
from plushify_core.errors import NotFound
from plushify_core.generation import Generation
from plushify_core.model_call import Outcome
from plushify_core.ports import Clock, Events, Store, changes_of

log = logging.getLogger(__name__)

SETTLE_RETRY_DELAYS_S = (0.1, 0.5, 2.0, 5.0)
"""Waits between attempts to commit an end. Together well within the lease margin."""


class Settlement:
    """Ends running generations: with their picture, or with their refund."""

    def __init__(self, *, store: Store, events: Events, clock: Clock, books: Bookkeeping) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._books = books
        self._discards: set[asyncio.Task[None]] = set()

    async def settle(self, running: Generation, drawing: Drawing) -> Generation:
        """Commit how the drawing ended; keep nothing of it that the row does not refer to.

        Returns:
            The generation as it stands: ended by this call or, if its lease was over, by somebody else.

        Raises:
            NotFound: it was erased meanwhile.
        """
        for delay_s in (*SETTLE_RETRY_DELAYS_S, None):
            try:
                current = await self._commit(running, drawing)
                break
            except Exception:
                if delay_s is None:
                    if not isinstance(drawing.end, Drawn):
                        self._discard(running, drawing)
                    raise  # the lease will run out, and the sweep refund
                log.exception("generation %s: cannot commit its end, trying again", running.id)
                await asyncio.sleep(delay_s)
        # An end whose commit was reported as failed may stand nevertheless: then its blobs are referred to.
        generated = current.generated if current is not None else None
        if not (isinstance(drawing.end, Drawn) and generated == drawing.end.generated):
            self._discard(running, drawing)
        if current is None:
            raise NotFound
        await self._events.publish(*changes_of(current))
        return current

    async def tidied(self) -> None:
        """Wait until what was stored in vain is removed."""
        while self._discards:
            await asyncio.wait(self._discards)

    async def _commit(self, running: Generation, drawing: Drawing) -> Generation | None:
        """The generation as it stands afterwards, by this call or, if it lost the race, another's."""
        end, billing, facts = drawing.end, drawing.billing, drawing.facts
        async with self._store.begin() as tx:
            ended: Generation | None
            if isinstance(end, Drawn):
                ended = running.succeeded(
                    at=self._clock(),
                    generated=end.generated,
                    thumbnail=end.thumbnail,
                    placeholder=end.placeholder,
                )
                if not await tx.generations.replace(running, ended):
                    ended = None
                await self._books.close_call(tx, running, Outcome.SUCCEEDED, billing=billing, facts=facts)
            else:
                ended = await self._books.fail(
                    tx,
                    running,
                    end.failure,
                    outcome=end.outcome,
                    billing=billing,
                    facts=facts,
                    original_stored=end.original_stored,
                )
                if ended is None:
                    await self._books.close_call(tx, running, end.outcome, billing=billing, facts=facts)
            return ended or await tx.generations.get(running.id)

    def _discard(self, running: Generation, drawing: Drawing) -> None:
        # Apart, because work that ignores its cancellation would keep the user waiting.
        task = asyncio.ensure_future(self._clear_up(running, drawing))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)

    async def _clear_up(self, running: Generation, drawing: Drawing) -> None:
        """Remove what was drawn in vain, and record what it cost if that became known only now."""
        known = drawing.billing, drawing.facts
        await drawing.discard()
        billing, facts = drawing.billing, drawing.facts
        if (billing, facts) == known:
            return
        try:
            async with self._store.begin() as tx:
                await self._books.close_call(tx, running, None, billing=billing, facts=facts)
        except Exception:
            log.exception("generation %s: cannot record what its late answer cost: %s", running.id, facts)
