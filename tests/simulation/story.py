"""Story of a simulated world: explains every ledger entry by a request, and finds every answer in the snapshot."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from uuid import UUID

from plushify_core import DEFAULT_CATALOG, EntryKind, LedgerEntry, Reason, Status
from tests.invariants import Snapshot, short
from tests.simulation.clients import POSTINGS, REQUESTS, Told
from tests.simulation.plan import Kind, Operation

FREE_CREDITS = "free credits"


class Story:
    """What happened to the users of a world, as they could tell it.

    Args:
        snapshot: once all is quiet.
        told: every answer, and every request without one.
        asked_by: the operation for which an id was made: of an entry, or of a generation.
        free_credits: what every user began with.
    """

    def __init__(
        self, snapshot: Snapshot, told: Collection[Told], asked_by: Mapping[UUID, Operation | None], free_credits: int
    ) -> None:
        self._books = snapshot
        self._told = told
        self._asked_by = asked_by
        self._free_credits = free_credits
        self._entries = sorted(snapshot.entries, key=lambda entry: entry.id)

    def lines(self, user: str) -> Iterator[str]:
        """The user's statement, oldest line first, each with its reason."""
        for entry in self._entries:
            if entry.user_id == user:
                yield f"{entry.kind} {entry.amount:+d}: {self._explanation(entry) or 'NOBODY KNOWS WHY'}"

    def contradictions(self) -> Iterator[str]:
        """What the user could not understand."""
        for user in self._books.balances:
            lines = list(self.lines(user))
            if FREE_CREDITS not in {entry.reason for entry in self._entries if entry.user_id == user}:
                yield f"{user} has never got any {FREE_CREDITS}"
            for line, times in Counter(lines).items():
                if times > 1 or line.endswith("NOBODY KNOWS WHY"):
                    yield f"{user} finds {times} times in the statement: {line}"
        for answer in self._told:
            if answer.answered and not answer.refused:
                yield from self._broken_word(answer)
        for operation in {answer.operation.number: answer.operation for answer in self._told}.values():
            answers = [answer for answer in self._told if answer.operation is operation]
            if all(answer.refused for answer in answers) and self._moved_by(operation):
                yield f"{operation.user} was refused operation {operation.number}, and credits moved"

    def _explanation(self, entry: LedgerEntry) -> str | None:
        if entry.generation_id is not None:
            return self._of_generation(entry, entry.generation_id)
        if entry.expires_grant is not None:
            return self._of_grant(entry, entry.expires_grant)
        if entry.reason == FREE_CREDITS and entry.amount == self._free_credits:
            return entry.reason
        asked = self._asked_by.get(entry.id)
        if asked is not None and (asked.user, POSTINGS.get(asked.kind)) == (entry.user_id, entry.kind):
            return f"operation {asked.number}" if abs(entry.amount) == asked.amount else None
        return None

    def _of_grant(self, entry: LedgerEntry, grant_id: UUID) -> str | None:
        grant = next(grant for grant in self._entries if grant.id == grant_id)
        over = grant.expires_at is not None and entry.created_at >= grant.expires_at
        theirs = grant.user_id == entry.user_id and -entry.amount <= grant.amount
        return f"the grant {short(grant_id)} is over" if over and theirs else None

    def _of_generation(self, entry: LedgerEntry, generation_id: UUID) -> str | None:
        asked, name = self._asked_by.get(generation_id), f"generation {short(generation_id)}"
        if asked is None or asked.user != entry.user_id or asked.kind not in REQUESTS:
            return None
        price = DEFAULT_CATALOG.price(DEFAULT_CATALOG.quality(asked.quality))
        row = self._books.generations.get(generation_id)
        if entry.kind is EntryKind.CONSUME and entry.amount == -price:
            return f"{name}, which operation {asked.number} asked for"
        by = self._asked_by.get(entry.id)
        if entry.is_refund_by_hand and by is not None and (by.kind, by.user) == (Kind.REFUND, entry.user_id):
            delivered = row is None or row.status is Status.SUCCEEDED
            return f"{name} has disappointed" if entry.amount == price and delivered else None
        failed = row is None or row.status is Status.FAILED
        if entry.kind is EntryKind.REFUND and entry.amount == price and failed and entry.reason in set(Reason):
            return f"{name} has failed"
        return None

    def _broken_word(self, answer: Told) -> Iterator[str]:
        operation = answer.operation
        if operation.kind in POSTINGS and self._moved_by(operation) != 1:
            yield f"{operation.user} was told that operation {operation.number} is done, and it is not"
        if answer.generation is None or not answer.generation.finished or operation.kind not in REQUESTS:
            return
        generation = answer.generation
        amounts = [entry.amount for entry in self._entries if entry.generation_id == generation.id]
        paid = -sum(amount for amount in amounts if amount < 0 or generation.status is Status.FAILED)
        if paid != (generation.credits_cost if generation.status is Status.SUCCEEDED else 0):
            yield f"{operation.user} was told that {short(generation.id)} has {generation.status}, and paid {paid}"
        row = self._books.generations.get(generation.id)
        if row is None and not self._deleted_by(operation.user):
            yield f"{operation.user} was told of {short(generation.id)}, has deleted nothing, and it is gone"
        if row is not None and row.status is not generation.status:
            yield f"{operation.user} was told that {short(row.id)} has {generation.status}, and it has {row.status}"

    def _moved_by(self, operation: Operation) -> int:
        """How many entries there are because of it."""
        made = {made for made, asked in self._asked_by.items() if asked is operation}
        generations = {entry.generation_id for entry in self._entries if entry.generation_id in made}
        postings = [entry for entry in self._entries if entry.id in made and entry.generation_id is None]
        return len(generations) + sum(entry.reason != FREE_CREDITS for entry in postings)

    def _deleted_by(self, user: str) -> bool:
        return any(answer.operation.kind is Kind.DELETE and answer.operation.user == user for answer in self._told)
