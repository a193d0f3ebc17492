"""What users ask for, and what they are told."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from uuid import UUID

import msgspec

from plushify_core import (
    BlobMissing,
    EntryKind,
    Generation,
    GenerationFailed,
    NotFound,
    PlushifyError,
    Rendition,
    Status,
)
from plushify_core.ports import GalleryFilter
from tests.gates import PowerCut
from tests.in_memory import PHOTO
from tests.invariants import short
from tests.simulation.plan import Kind, Operation
from tests.simulation.replica import Fault, Replica, Scene, current
from tests.simulation.watch import Watch

REQUESTS = Kind.MAKE, Kind.MAKE_WITHIN_THE_REQUEST
POSTINGS = {Kind.GRANT: EntryKind.GRANT, Kind.CONSUME: EntryKind.CONSUME, Kind.ADJUST: EntryKind.ADJUST}
PHOTOS = [PHOTO[:-1] + bytes([number]) for number in range(4)]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request, or that there was none: `refused` says that nothing was done."""

    operation: Operation
    text: str
    answered: bool = False
    refused: bool = False
    generation: Generation | None = None


class Clients:
    """Carries out the operations of users, each with the replica it falls to.

    Args:
        seed: of the scenes.
        watch: where they find what is there, and say what cannot be true.
        replica: the latest life of the one with this number; numbers go round.
        note: told of what is asked and answered.
        asked_by: the operation that an id was made for.
    """

    def __init__(
        self,
        *,
        seed: int,
        watch: Watch,
        replica: Callable[[int], Replica],
        note: Callable[[str], None],
        asked_by: Mapping[UUID, Operation | None],
    ) -> None:
        self.told: list[Told] = []
        self._seed = seed
        self._watch = watch
        self._replica = replica
        self._note = note
        self._asked_by = asked_by

    async def perform(self, operation: Operation) -> None:
        """Ask, twice at once if it is doubled, and again if the connection breaks."""
        repeatable = operation.kind in (*REQUESTS, Kind.GRANT, Kind.REFUND) and operation.key is not None
        attempts = operation.retries + 1 if repeatable else 1
        requests = [self._ask(operation, operation.replica, f"{operation.number}", attempts)]
        if operation.doubled and repeatable:
            requests.append(self._ask(operation, operation.replica + 1, f"{operation.number}b", attempts))
        await asyncio.gather(*requests)

    async def _ask(self, operation: Operation, replica_number: int, name: str, attempts: int) -> None:
        for attempt in range(attempts):
            scene = Scene(self._seed, f"{name}.{attempt}", operation)
            current.set(scene)
            replica = self._replica(replica_number + attempt)
            self._note(f"{scene.name}: {operation.user} asks {replica.name}: {operation.kind}")
            told = await self._answer(operation, replica, scene)
            self._note(f"{scene.name}: {operation.user} is told: {told.text}")
            self.told.append(told)
            if told.answered:
                return
            await asyncio.sleep(1 + scene.dice.random() * 10)

    async def _answer(self, operation: Operation, replica: Replica, scene: Scene) -> Told:
        try:
            generation = await self._act(operation, replica, scene.dice)
        except GenerationFailed as error:
            if error.charged:
                self._watch.object_to(f"{operation.user} was charged for nothing")
            self._is_refunded(operation)
            return Told(operation=operation, text=error.reason, answered=True)
        except PlushifyError as error:
            if operation.kind is Kind.SWEEP:
                self._watch.object_to(f"a sweep ended with {error!r}")
            refused = not isinstance(error, NotFound)  # it may be gone since
            return Told(operation=operation, text=error.reason, answered=True, refused=refused)
        except (Fault, BlobMissing, PowerCut, asyncio.CancelledError, TimeoutError) as error:
            return Told(operation=operation, text=f"nothing ({type(error).__name__})")
        except Exception as error:
            self._watch.object_to(f"{operation.kind} ended with {error!r}")
            return Told(operation=operation, text=repr(error))
        if operation.kind in REQUESTS and generation is not None and generation.status is Status.FAILED:
            self._is_refunded(operation)
        text = "done" if generation is None else f"generation {short(generation.id)} {generation.status}"
        return Told(operation=operation, text=text, answered=True, generation=generation)

    def _is_refunded(self, operation: Operation) -> None:
        """Who is told "you were not charged" is not: at this moment, not later."""
        snapshot = self._watch.snapshot()
        theirs = {
            row.id
            for row in snapshot.generations.values()
            if row.user_id == operation.user and row.idempotency_key == operation.key is not None
        } or {made for made, asked_by in self._asked_by.items() if asked_by is operation}
        paid = sum(entry.amount for entry in snapshot.entries if entry.generation_id in theirs)
        if paid != 0:
            self._watch.object_to(f"{operation.user} was told of no charge, and pays {-paid}")

    async def _act(self, operation: Operation, replica: Replica, dice: random.Random) -> Generation | None:
        plushify, user = replica.plushify, operation.user
        match operation.kind:
            case Kind.MAKE:
                return await self._make(operation, replica)
            case Kind.MAKE_WITHIN_THE_REQUEST:
                return await _patiently(operation, self._made(operation, replica))
            case Kind.RUN:
                for generation_id in self._chosen(operation, everybody=True):
                    return await plushify.generate.run(generation_id)
            case Kind.SWEEP:
                await replica.plushify.sweeper.sweep_leases()
                await replica.plushify.sweeper.sweep_blobs()
            case Kind.DELETE:
                for generation_id in self._chosen(operation):
                    await plushify.gallery.delete(user, generation_id)
            case Kind.RESTORE:
                for generation_id in self._chosen(operation):
                    return await plushify.gallery.restore(user, generation_id)
            case Kind.LOOK:
                await self._look(operation, replica)
            case Kind.INTRUDE:
                await self._intrude(operation, replica)
            case Kind.GRANT:
                key = None if operation.key is None else f"operation-{operation.number}"
                reason = f"operation {operation.number}"
                await plushify.credits.add_credits(user, operation.amount, reason=reason, idempotency_key=key)
            case Kind.CONSUME:
                await plushify.credits.consume_credits(user, operation.amount, reason=f"operation {operation.number}")
            case Kind.ADJUST:
                amount = operation.amount if dice.random() < 0.5 else -operation.amount
                reason = f"operation {operation.number}"
                await plushify.credits.adjust_credits(user, amount, reason=reason, actor="operator")
            case Kind.REFUND:
                await self._refund(operation, replica)
        return None

    async def _make(self, operation: Operation, replica: Replica) -> Generation:
        """As the web does: submit, run apart from the request, and wait as long as the user does."""
        with replica.plushify.runner.reserve():
            submitted = await replica.plushify.generate.submit(
                operation.user,
                PHOTOS[operation.photo],
                style="kawaii",
                quality=operation.quality,
                idempotency_key=operation.key,
            )
            if not submitted.finished:
                replica.plushify.runner.start(submitted.id, user_id=operation.user)
        return await replica.plushify.runner.wait(operation.user, submitted.id, timeout_s=operation.patience_s)

    async def _made(self, operation: Operation, replica: Replica) -> Generation:
        return await replica.plushify.generate.generate(
            operation.user,
            PHOTOS[operation.photo],
            style="chibi",
            quality=operation.quality,
            idempotency_key=operation.key,
        )

    async def _look(self, operation: Operation, replica: Replica) -> None:
        """A listing shows what is one's own and not deleted; of a success, every picture is there."""
        gallery, user = replica.plushify.gallery, operation.user
        page = await gallery.list(user, GalleryFilter(), limit=5)
        for item in page.items:
            if item.user_id != user or item.deleted_at is not None:
                self._watch.object_to(f"{user} was shown generation {short(item.id)}")
            if item.status is Status.SUCCEEDED:
                image = await gallery.image(user, item.id, Rendition.GENERATED)
                async for _ in gallery.read(image):
                    pass
        await replica.plushify.credits.statement(user, limit=3)

    async def _refund(self, operation: Operation, replica: Replica) -> None:
        """An operator gives back the price of a generation, finished or not, of which the row may be gone."""
        charged = {entry.generation_id: entry.user_id for entry in self._watch.snapshot().entries}
        theirs = sorted(made for made, user in charged.items() if made is not None and user == operation.user)
        if not theirs:
            return
        chosen = theirs[int(operation.pick * len(theirs))]
        refunded = await replica.plushify.credits.refund_generation(
            operation.user, chosen, reason=f"operation {operation.number}", actor="operator"
        )
        paid = sum(entry.amount for entry in self._watch.snapshot().entries if entry.generation_id == chosen)
        if paid != 0:
            self._watch.object_to(f"{operation.user} was told of a refund of {refunded.amount}, and pays {-paid}")

    async def _intrude(self, operation: Operation, replica: Replica) -> None:
        gallery = replica.plushify.gallery
        for row in list(self._watch.snapshot().generations.values()):
            if row.user_id != operation.user:
                attempts: list[Callable[[str, UUID], Awaitable[object]]] = [
                    gallery.get,
                    gallery.delete,
                    gallery.restore,
                ]
                for attempt in attempts:
                    try:
                        await attempt(operation.user, row.id)
                    except NotFound:
                        continue
                    self._watch.object_to(f"{operation.user} got at generation {short(row.id)}")

    def _chosen(self, operation: Operation, *, everybody: bool = False) -> Iterator[UUID]:
        """One of the generations that are there, if any."""
        rows = sorted(
            row.id for row in self._watch.snapshot().generations.values() if everybody or row.user_id == operation.user
        )
        if rows:
            yield rows[int(operation.pick * len(rows))]


async def _patiently(operation: Operation, work: Awaitable[Generation]) -> Generation:
    """The user goes away in the end, and the server cancels the request."""
    return await asyncio.wait_for(work, operation.patience_s)
