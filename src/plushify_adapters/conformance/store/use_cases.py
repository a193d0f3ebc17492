"""The use cases under concurrent load on the store: no credit is lost or spent twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from plushify_adapters.conformance.store.entities import new_id
from plushify_adapters.conformance.store.suite import StoreSuite, balance_of, in_parallel
from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryImageModel
from plushify_core import (
    DEFAULT_CATALOG,
    Code,
    CreditsUseCase,
    GenerateUseCase,
    Generation,
    Limits,
    ModelError,
    PlushifyError,
    Reason,
    RecoverUseCase,
    Status,
)
from plushify_core.domain.model_call import Billing
from plushify_core.ports import Store, Transaction, utc_now

PHOTO = b"P6\n4 2\n255\n" + bytes(range(24))


class _InAnHour(Store):
    """Store whose time is one hour later."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._store.begin() as tx:
            yield cast(Transaction, _LaterTransaction(tx))


@dataclass(frozen=True)
class _LaterTransaction:
    tx: Transaction

    async def now(self) -> datetime:
        return await self.tx.now() + timedelta(hours=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)


class _UseCases:
    """Use cases on one store, with the other ports in memory."""

    def __init__(self, store: Store, **limits: int) -> None:
        self.store = store
        self.blobs = MemoryBlobStore()
        self.model = MemoryImageModel()
        self._limits = Limits(**{"max_in_flight_per_user": 1_000, **limits})
        self._events = MemoryEvents()
        self._generate = GenerateUseCase(
            store=store,
            blobs=self.blobs,
            codec=MemoryImageCodec(),
            model=self.model,
            events=self._events,
            clock=utc_now,
            new_id=new_id,
            catalog=DEFAULT_CATALOG,
            limits=self._limits,
        )
        self.credits = CreditsUseCase(store=store, events=self._events, new_id=new_id, limits=self._limits)

    async def generate(self, user_id: str = "ann", *, key: str | None = None) -> Generation | PlushifyError:
        """Submit a photo and run its generation. Return the generation, or the error."""
        try:
            return await self._generate.generate(
                user_id, PHOTO, style="kawaii", quality="standard", idempotency_key=key
            )
        except PlushifyError as error:
            return error

    async def sweep(self) -> None:
        """Sweep at a time at which every lease has expired."""
        recover = RecoverUseCase(
            store=_InAnHour(self.store),
            blobs=self.blobs,
            events=self._events,
            new_id=new_id,
            limits=self._limits,
        )
        await recover.sweep()

    async def rows(self) -> Sequence[Generation]:
        """Return all generations."""
        async with self.store.begin() as tx:
            return await tx.audit.scan(after=None, limit=1_000)

    async def entry_sum(self, generation_id: UUID) -> int:
        """Return the sum of the entries of the generation, in credits."""
        async with self.store.begin() as tx:
            return sum(entry.amount for entry in await tx.credits.entries_of(generation_id))


class UseCasesContract(StoreSuite):
    """Contract of the store under the concurrent load of the use cases."""

    async def test_one_credit_pays_for_one_submission(self, store: Store) -> None:
        """Of 100 concurrent submissions with one credit, one succeeds and is charged, and 99 are refused."""
        use_cases = _UseCases(store, free_credits=1)
        outcomes = await in_parallel(use_cases.generate() for _ in range(100))

        succeeded = [outcome for outcome in outcomes if isinstance(outcome, Generation)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, PlushifyError)]
        assert [generation.status for generation in succeeded] == [Status.SUCCEEDED]
        assert [(error.code, error.balance) for error in refused] == [(Code.INSUFFICIENT_CREDITS, 0)] * 99
        assert len(use_cases.model.requests) == 1
        assert await balance_of(store) == 0
        assert await use_cases.rows() == succeeded

    async def test_charges_once_per_idempotency_key(self, store: Store) -> None:
        """50 concurrent requests with the same key cause one generation, one charge and one model call."""
        use_cases = _UseCases(store, free_credits=3)
        outcomes = await in_parallel(use_cases.generate(key="k") for _ in range(50))

        (row,) = await use_cases.rows()
        assert {outcome.id for outcome in outcomes if isinstance(outcome, Generation)} == {row.id}
        assert all(isinstance(outcome, Generation) for outcome in outcomes)
        assert row.status is Status.SUCCEEDED
        assert len(use_cases.model.requests) == 1
        assert await balance_of(store) == 2

    async def test_grants_once_per_idempotency_key(self, store: Store) -> None:
        """Of 50 concurrent grants with one key to a new user, one is new, and the free credits are granted once."""
        use_cases = _UseCases(store, free_credits=3)
        granted = await in_parallel(
            use_cases.credits.add_credits("ann", 5, reason="bought", idempotency_key="order-1") for _ in range(50)
        )
        assert sorted(result.new for result in granted) == [False] * 49 + [True]
        assert {result.subscription.balance for result in granted} == {8}
        assert await balance_of(store) == 8

    async def test_refunds_a_success_once(self, store: Store) -> None:
        """Of 50 concurrent refunds of a delivered picture, exactly one posts a refund."""
        use_cases = _UseCases(store, free_credits=3)
        made = await use_cases.generate()
        assert isinstance(made, Generation)
        refunded = await in_parallel(
            use_cases.credits.refund_generation("ann", made.id, reason="blurred", actor="eve") for _ in range(50)
        )
        assert sorted(result.new for result in refunded) == [False] * 49 + [True]
        assert await balance_of(store) == 3
        assert await use_cases.entry_sum(made.id) == 0

    async def test_concurrent_calls_do_not_exceed_the_daily_limit(self, store: Store) -> None:
        """Of 64 concurrent submissions under a limit of one, one calls the model. The others cost nothing."""
        use_cases = _UseCases(store, free_credits=1, daily_spend_nano_usd=1)
        use_cases.model.delay_s = 0.5
        users = [f"user {number}" for number in range(64)]

        outcomes = await in_parallel(use_cases.generate(user) for user in users)

        assert len(use_cases.model.requests) == 1
        refused = [outcome for outcome in outcomes if isinstance(outcome, PlushifyError)]
        assert [(error.code, error.reason) for error in refused] == [
            (Code.GENERATION_FAILED, Reason.MODEL_UNAVAILABLE)
        ] * 63
        for row in await use_cases.rows():
            assert await use_cases.entry_sum(row.id) == (0 if row.status is Status.FAILED else -row.credits_cost)

    async def test_keeps_the_ledger_correct_under_mixed_load(self, store: Store) -> None:
        """Concurrent submissions, failures, grants and sweeps of the same users do not deadlock, and lose no credit."""
        use_cases = _UseCases(store, free_credits=4)
        users = ["ann", "bob", "cid"]
        broken = ModelError(Reason.MODEL_UNAVAILABLE, "no", retryable=True, billing=Billing.NOT_BILLED)
        use_cases.model.fail_next(*[broken] * 10)
        outcomes: list[Generation | PlushifyError] = []

        async def submit(user_id: str) -> None:
            outcomes.append(await use_cases.generate(user_id))

        async def grant(user_id: str) -> None:
            await use_cases.credits.add_credits(user_id, 1, reason="a gift")

        async with asyncio.TaskGroup() as group:
            for number, user in itertools.product(range(12), users):
                group.create_task(submit(user))
                if number % 3 == 0:
                    group.create_task(grant(user))
                    group.create_task(use_cases.sweep())
        await use_cases.sweep()

        rows = await use_cases.rows()
        assert all(row.finished for row in rows)
        assert len(rows) == sum(
            isinstance(outcome, Generation) or outcome.code is Code.GENERATION_FAILED for outcome in outcomes
        )
        for row in rows:
            assert await use_cases.entry_sum(row.id) == (0 if row.status is Status.FAILED else -row.credits_cost)
        for user in users:
            spent = sum(row.credits_cost for row in rows if row.user_id == user and row.status is Status.SUCCEEDED)
            assert await balance_of(store, user) == 4 + 4 - spent
