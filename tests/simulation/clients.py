"""Clients: send the requests of users, and keep the responses."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
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
from tests.simulation.monitor import Monitor
from tests.simulation.plan import Kind, Operation
from tests.simulation.replica import Activity, Fault, Replica, current_activity

REQUESTS = Kind.MAKE, Kind.MAKE_WITHIN_THE_REQUEST
POSTINGS = {Kind.GRANT: EntryKind.GRANT, Kind.CONSUME: EntryKind.CONSUME, Kind.ADJUST: EntryKind.ADJUST}
PHOTOS = [PHOTO[:-1] + bytes([number]) for number in range(4)]


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Response to a request, or the lack of one.

    Args:
        operation: operation that sent the request.
        text: description for the trace.
        answered: whether the client received a response.
        refused: whether the response says that nothing was done.
        generation: generation in the response.
    """

    operation: Operation
    text: str
    answered: bool = False
    refused: bool = False
    generation: Generation | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Clients:
    """Carries out the operations of users.

    Args:
        seed: seed of the activities.
        monitor: source of the stored data, and receiver of violations.
        replica: returns the current replica with this number, modulo the number of replicas.
        record: called with every request and response.
        operation_by_id: the operation that each id was made for.

    Attributes:
        responses: all responses so far.
    """

    seed: int
    monitor: Monitor
    replica: Callable[[int], Replica]
    record: Callable[[str], None]
    operation_by_id: Mapping[UUID, Operation | None]
    responses: list[Response] = field(init=False, default_factory=list)

    async def perform(self, operation: Operation) -> None:
        """Send the request of an operation, and its duplicate and retries if it has any."""
        repeatable = operation.kind in REQUESTS and operation.key is not None
        attempts = operation.retries + 1 if repeatable else 1
        requests = [self._request(operation, operation.replica, f"{operation.number}", attempts)]
        if operation.duplicated and repeatable:
            requests.append(self._request(operation, operation.replica + 1, f"{operation.number}b", attempts))
        await asyncio.gather(*requests)

    async def _request(self, operation: Operation, replica_number: int, name: str, attempts: int) -> None:
        """Send a request until there is a response, each attempt to another replica."""
        for attempt in range(attempts):
            activity = Activity(self.seed, f"{name}.{attempt}", operation)
            current_activity.set(activity)
            replica = self.replica(replica_number + attempt)
            self.record(f"{activity.name}: {operation.user} requests from {replica.name}: {operation.kind}")
            response = await self._response(operation, replica, activity.rng)
            self.record(f"{activity.name}: response to {operation.user}: {response.text}")
            self.responses.append(response)
            if response.answered:
                return
            await asyncio.sleep(1 + activity.rng.random() * 10)

    async def _response(self, operation: Operation, replica: Replica, rng: random.Random) -> Response:
        try:
            generation = await self._act(operation, replica, rng)
        except GenerationFailed as error:
            if error.charged:
                self.monitor.report_violation(f"{operation.user} was charged for a failed generation")
            self._check_refunded(operation)
            return Response(operation=operation, text=error.reason, answered=True)
        except PlushifyError as error:
            if operation.kind is Kind.SWEEP:
                self.monitor.report_violation(f"a sweep raised {error!r}")
            refused = not isinstance(error, NotFound)  # a charged generation may have been purged since
            return Response(operation=operation, text=error.reason, answered=True, refused=refused)
        except (Fault, BlobMissing, PowerCut, asyncio.CancelledError, TimeoutError) as error:
            return Response(operation=operation, text=f"none ({type(error).__name__})")
        except Exception as error:
            self.monitor.report_violation(f"{operation.kind} raised {error!r}")
            return Response(operation=operation, text=repr(error))
        if operation.kind in REQUESTS and generation is not None and generation.status is Status.FAILED:
            self._check_refunded(operation)
        text = "done" if generation is None else f"generation {short(generation.id)} {generation.status}"
        return Response(operation=operation, text=text, answered=True, generation=generation)

    def _check_refunded(self, operation: Operation) -> None:
        """Check that the refund is already committed when a user receives "you were not charged"."""
        snapshot = self.monitor.snapshot()
        generations = {
            row.id
            for row in snapshot.generations.values()
            if row.user_id == operation.user and row.idempotency_key == operation.key is not None
        } | {made for made, made_for in self.operation_by_id.items() if made_for is operation}
        # A purge frees the idempotency key, so a late duplicate of a successful request makes a second generation.
        # The answer is then about that one.
        if others := generations - self.monitor.purged_successes:
            generations = others
        paid = sum(entry.amount for entry in snapshot.entries if entry.generation_id in generations)
        if paid != 0:
            self.monitor.report_violation(f"{operation.user} received 'not charged', but paid {-paid}")

    async def _act(self, operation: Operation, replica: Replica, rng: random.Random) -> Generation | None:
        plushify, user = replica.plushify, operation.user
        match operation.kind:
            case Kind.MAKE:
                return await self._make(operation, replica)
            case Kind.MAKE_WITHIN_THE_REQUEST:
                return await asyncio.wait_for(self._make_within_the_request(operation, replica), operation.patience_s)
            case Kind.RUN:
                if (generation_id := self._pick(operation, of_all_users=True)) is not None:
                    return await plushify.generate.run(generation_id)
            case Kind.SWEEP:
                await plushify.sweeper.sweep_leases()
                await plushify.sweeper.sweep_blobs()
            case Kind.DELETE:
                if (generation_id := self._pick(operation)) is not None:
                    await plushify.gallery.delete(user, generation_id)
            case Kind.RESTORE:
                if (generation_id := self._pick(operation)) is not None:
                    return await plushify.gallery.restore(user, generation_id)
            case Kind.VIEW:
                await self._view(operation, replica)
            case Kind.INTRUDE:
                await self._intrude(operation, replica)
            case Kind.GRANT:
                await plushify.credits.add_credits(user, operation.amount, reason=f"operation {operation.number}")
            case Kind.CONSUME:
                await plushify.credits.consume_credits(user, operation.amount, reason=f"operation {operation.number}")
            case Kind.ADJUST:
                amount = operation.amount if rng.random() < 0.5 else -operation.amount
                reason = f"operation {operation.number}"
                await plushify.credits.adjust_credits(user, amount, reason=reason, actor="operator")
        return None

    async def _make(self, operation: Operation, replica: Replica) -> Generation:
        """Submit, run independently of the request, and wait as long as the user does, as the web does."""
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

    async def _make_within_the_request(self, operation: Operation, replica: Replica) -> Generation:
        return await replica.plushify.generate.generate(
            operation.user,
            PHOTOS[operation.photo],
            style="chibi",
            quality=operation.quality,
            idempotency_key=operation.key,
        )

    async def _view(self, operation: Operation, replica: Replica) -> None:
        """View a page of the gallery: it has only pictures of the user that are not deleted, and all are readable."""
        gallery, user = replica.plushify.gallery, operation.user
        page = await gallery.list(user, GalleryFilter(), limit=5)
        for item in page.items:
            if item.user_id != user or item.deleted_at is not None:
                self.monitor.report_violation(f"{user} was shown generation {short(item.id)}")
            if item.status is Status.SUCCEEDED:
                image = await gallery.image(user, item.id, Rendition.GENERATED)
                async for _ in gallery.read(image):
                    pass
        await replica.plushify.credits.statement(user, limit=3)

    async def _intrude(self, operation: Operation, replica: Replica) -> None:
        """Try to get, delete and restore every generation of other users."""
        gallery = replica.plushify.gallery
        for row in list(self.monitor.snapshot().generations.values()):
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
                    self.monitor.report_violation(f"{operation.user} got access to generation {short(row.id)}")

    def _pick(self, operation: Operation, *, of_all_users: bool = False) -> UUID | None:
        """Return the existing generation that the operation picks, or None if there is none."""
        rows = sorted(
            row.id
            for row in self.monitor.snapshot().generations.values()
            if of_all_users or row.user_id == operation.user
        )
        return rows[int(operation.pick * len(rows))] if rows else None
