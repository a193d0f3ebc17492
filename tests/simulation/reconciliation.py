"""Reconciliation of a world: compares the stored data with the requests of users and the responses they received."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from plushify_core import DEFAULT_CATALOG, EntryKind, LedgerEntry, Reason, Status
from tests.invariants import Snapshot, short
from tests.simulation.clients import POSTINGS, REQUESTS, Response
from tests.simulation.plan import Kind, Operation

FREE_CREDITS = "free credits"
UNEXPLAINED = "UNEXPLAINED"


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconciliation:
    """Explains every ledger entry by a request, and checks that the stored data agrees with every response.

    Args:
        snapshot: data at the end of the world.
        responses: all responses, and all requests without one.
        operation_by_id: the operation that the id of an entry or of a generation was made for.
        free_credits: credits that every new user gets.
    """

    snapshot: Snapshot
    responses: Collection[Response]
    operation_by_id: Mapping[UUID, Operation | None]
    free_credits: int

    @cached_property
    def _entries(self) -> list[LedgerEntry]:
        return sorted(self.snapshot.entries, key=lambda entry: entry.id)

    def statement(self, user: str) -> Iterator[str]:
        """Yield the entries of the user, oldest first, each with its explanation."""
        for entry in self._entries:
            if entry.user_id == user:
                yield f"{entry.kind} {entry.amount:+d}: {self._explanation(entry) or UNEXPLAINED}"

    def contradictions(self) -> Iterator[str]:
        """Yield every entry without an explanation, and every response that the stored data contradicts."""
        for user in self.snapshot.balances:
            lines = list(self.statement(user))
            if FREE_CREDITS not in {entry.reason for entry in self._entries if entry.user_id == user}:
                yield f"{user} has never got any {FREE_CREDITS}"
            for line, count in Counter(lines).items():
                if count > 1 or line.endswith(UNEXPLAINED):
                    yield f"{user} has {count} times in the statement: {line}"
        for response in self.responses:
            if response.answered and not response.refused:
                yield from self._response_contradictions(response)
        for operation in {response.operation.number: response.operation for response in self.responses}.values():
            responses = [response for response in self.responses if response.operation is operation]
            if all(response.refused for response in responses) and self._count_effects(operation):
                yield f"operation {operation.number} of {operation.user} was refused, but moved credits"

    def _explanation(self, entry: LedgerEntry) -> str | None:
        if entry.generation_id is not None:
            return self._explained_by_generation(entry, entry.generation_id)
        if entry.expires_grant is not None:
            return self._explained_by_expiry(entry, entry.expires_grant)
        if entry.reason == FREE_CREDITS and entry.amount == self.free_credits:
            return entry.reason
        operation = self.operation_by_id.get(entry.id)
        if operation is not None and (operation.user, POSTINGS.get(operation.kind)) == (entry.user_id, entry.kind):
            return f"operation {operation.number}" if abs(entry.amount) == operation.amount else None
        return None

    def _explained_by_expiry(self, entry: LedgerEntry, grant_id: UUID) -> str | None:
        grant = next(grant for grant in self._entries if grant.id == grant_id)
        expired = grant.expires_at is not None and entry.created_at >= grant.expires_at
        valid = grant.user_id == entry.user_id and -entry.amount <= grant.amount
        return f"the grant {short(grant_id)} has expired" if expired and valid else None

    def _explained_by_generation(self, entry: LedgerEntry, generation_id: UUID) -> str | None:
        operation, name = self.operation_by_id.get(generation_id), f"generation {short(generation_id)}"
        if operation is None or operation.user != entry.user_id or operation.kind not in REQUESTS:
            return None
        price = DEFAULT_CATALOG.price(DEFAULT_CATALOG.quality(operation.quality))
        row = self.snapshot.generations.get(generation_id)
        if entry.kind is EntryKind.CONSUME and entry.amount == -price:
            return f"{name}, requested by operation {operation.number}"
        failed = row is None or row.status is Status.FAILED
        if entry.kind is EntryKind.REFUND and entry.amount == price and failed and entry.reason in set(Reason):
            return f"{name} has failed"
        return None

    def _response_contradictions(self, response: Response) -> Iterator[str]:
        operation = response.operation
        if operation.kind in POSTINGS and self._count_effects(operation) != 1:
            yield f"operation {operation.number} of {operation.user} was answered as done, but is not done"
        generation = response.generation
        if generation is None or not generation.finished or operation.kind not in REQUESTS:
            return
        answer = f"{operation.user} received the answer that {short(generation.id)} has {generation.status}"
        paid = -sum(entry.amount for entry in self._entries if entry.generation_id == generation.id)
        if paid != (generation.credits_cost if generation.status is Status.SUCCEEDED else 0):
            yield f"{answer}, but paid {paid}"
        row = self.snapshot.generations.get(generation.id)
        if row is None and not self._has_deleted(operation.user):
            yield f"{answer} and has deleted nothing, but it has no row"
        if row is not None and row.status is not generation.status:
            yield f"{answer}, but it has {row.status}"

    def _count_effects(self, operation: Operation) -> int:
        """Return the number of charged generations and of postings that the operation caused."""
        ids = {made for made, made_for in self.operation_by_id.items() if made_for is operation}
        generations = {entry.generation_id for entry in self._entries if entry.generation_id in ids}
        postings = [entry for entry in self._entries if entry.id in ids and entry.generation_id is None]
        return len(generations) + sum(entry.reason != FREE_CREDITS for entry in postings)

    def _has_deleted(self, user: str) -> bool:
        return any(
            response.operation.kind is Kind.DELETE and response.operation.user == user for response in self.responses
        )
