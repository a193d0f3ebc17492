"""State machine test: Hypothesis searches for events that break a promise about credits, rows or blobs."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryStore
from plushify_core import Limits, PlushifyError
from tests import invariants, virtual_time
from tests.gates import Fuse, GatedStore, PowerCut, gated
from tests.in_memory import OTHER_PHOTO, PHOTO, Ids, PlushifyForTests
from tests.scripted import Answer, Script, ScriptedModel

USERS = st.sampled_from(["ann", "bob"])
KEYS = st.sampled_from([None, "k1", "k2"])
PHOTOS = st.sampled_from([PHOTO, PHOTO, OTHER_PHOTO])
SCRIPTS = st.builds(
    Script,
    answer=st.sampled_from(Answer),
    delay_s=st.sampled_from([0.0, 5.0, 59.0, 61.0, 75.0, 10_000.0]),
    stubborn=st.booleans(),
)
FREEZES_S = st.sampled_from([None, None, 35.0, 100.0])
FUSES = (
    st.builds(Fuse)
    | st.builds(Fuse, st.integers(0, 60), FREEZES_S)
    | st.builds(Fuse, st.integers(0, 5), FREEZES_S, among=st.sampled_from(["begin", "commit", "blobs", "model"]))
)
"""Points at which a process dies or freezes, if any. A whole generation has 60 passages."""

HEALTHY = Script()
WAITS_S = st.sampled_from([0.0, 1.0, 12.0, 25.0, 60.0, 95.0])
LIMITS = Limits(free_credits=2, max_in_flight_per_user=2)


class LifeOfAGeneration(RuleBasedStateMachine):
    """Events in processes that may die or freeze. Each rule starts one, and lets some time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=virtual_time.VirtualTimeLoop)
        self.store = MemoryStore(clock=virtual_time.now)
        self.blobs = MemoryBlobStore()
        self.ids = Ids()
        self.calls: Counter[UUID] = Counter()
        self.tasks: list[asyncio.Task[Any]] = []

    def process(self, fuse: Fuse, script: Script = HEALTHY) -> PlushifyForTests:
        """Return a process whose calls to its ports pass this fuse."""
        return PlushifyForTests(
            store=GatedStore(self.store, fuse),
            blobs=gated("blobs", self.blobs, fuse),
            codec=MemoryImageCodec(),
            model=gated("model", ScriptedModel(lambda: script, self.called), fuse),
            events=gated("events", MemoryEvents(), fuse),
            clock=virtual_time.now,
            new_id=self.ids,
            limits=LIMITS,
        )

    def start(self, work: Coroutine[Any, Any, Any], wait_s: float, *, cancel: bool = False) -> None:
        """Start `work`, and return after `wait_s` seconds, whether or not it has ended."""

        async def begin() -> None:
            task = asyncio.create_task(work)
            self.tasks.append(task)
            await asyncio.sleep(wait_s)
            if cancel:
                task.cancel()
                await asyncio.sleep(0)

        self.runner.run(begin())
        self.collect()

    def collect(self) -> None:
        """Assert that every ended task succeeded, died, was cancelled, or raised an error for users.

        A task also times out if it cannot commit, because a frozen process holds the only lock of the store.
        """
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            if not task.cancelled() and task.exception() is not None:
                assert isinstance(task.exception(), PlushifyError | PowerCut | TimeoutError), task.exception()

    def called(self, generation_id: UUID) -> None:
        """Count a model call of this generation."""
        self.calls[generation_id] += 1

    def rows(self) -> list[UUID]:
        """Return the ids of all rows, sorted."""
        return sorted(self.snapshot().generations)

    def charged(self) -> list[UUID]:
        """Return the ids of all generations with entries, sorted, also of those that are purged."""
        entries = self.snapshot().entries
        return sorted({entry.generation_id for entry in entries if entry.generation_id is not None})

    def snapshot(self) -> invariants.Snapshot:
        """Return what is committed."""
        return invariants.in_memory(self.store, self.blobs)

    @rule(user=USERS, key=KEYS, photo=PHOTOS, script=SCRIPTS, fuse=FUSES, wait_s=WAITS_S, cancel=st.booleans())
    def generate(
        self, user: str, key: str | None, photo: bytes, script: Script, fuse: Fuse, wait_s: float, cancel: bool
    ) -> None:
        """A user makes a plushie, and may disconnect while it is made."""
        self.start(self.process(fuse, script).make(user, photo, key=key), wait_s, cancel=cancel)

    @rule(user=USERS, key=KEYS, photo=PHOTOS, fuse=FUSES)
    def submit(self, user: str, key: str | None, photo: bytes, fuse: Fuse) -> None:
        """A user submits a photo, and no process runs it yet."""
        self.start(self.process(fuse).submit(user, photo, key=key), 0)

    @precondition(lambda self: self.rows())
    @rule(data=st.data(), script=SCRIPTS, fuse=FUSES, wait_s=WAITS_S)
    def run(self, data: st.DataObject, script: Script, fuse: Fuse, wait_s: float) -> None:
        """A process runs any generation, at any time."""
        generation_id = data.draw(st.sampled_from(self.rows()))
        self.start(self.process(fuse, script).generate.run(generation_id), wait_s)

    @rule(script=SCRIPTS, fuse=FUSES, wait_s=WAITS_S)
    def sweep(self, script: Script, fuse: Fuse, wait_s: float) -> None:
        """A process sweeps, and runs what it has reclaimed."""
        self.start(self.process(fuse, script).sweep(), wait_s)

    @rule(wait_s=WAITS_S)
    def time_passes(self, wait_s: float) -> None:
        """Time passes, and no new event happens."""
        self.start(asyncio.sleep(0), wait_s)

    @precondition(lambda self: self.rows())
    @rule(data=st.data(), user=USERS, restore=st.booleans(), fuse=FUSES)
    def delete_or_restore(self, data: st.DataObject, user: str, restore: bool, fuse: Fuse) -> None:
        """A user deletes or restores a generation of any user; that of another user does not change."""
        gallery = self.process(fuse).gallery
        generation_id = data.draw(st.sampled_from(self.rows()))
        before = self.snapshot().generations[generation_id]
        self.start((gallery.restore if restore else gallery.delete)(user, generation_id), 0)
        if user != before.user_id:
            after = self.snapshot().generations.get(generation_id)  # None if a sweep has purged it at this moment
            assert after is None or after.deleted_at == before.deleted_at

    @rule(user=USERS, amount=st.integers(-3, 3), fuse=FUSES)
    def grant_or_consume(self, user: str, amount: int, fuse: Fuse) -> None:
        """Credits are granted or consumed without a generation."""
        credits_ = self.process(fuse).credits
        post = credits_.add_credits if amount > 0 else credits_.consume_credits
        self.start(post(user, abs(amount), reason="the rule says so"), 0)

    @rule(user=USERS, key=st.sampled_from(["k1", "k2"]), fuse=FUSES)
    def grant_with_a_key(self, user: str, key: str, fuse: Fuse) -> None:
        """Credits are granted with a key that may have been used before."""
        granted = self.process(fuse).credits.add_credits(user, 2, reason="a rule", idempotency_key=key)
        self.start(granted, 0)

    @precondition(lambda self: self.charged())
    @rule(data=st.data(), user=USERS, fuse=FUSES)
    def refund(self, data: st.DataObject, user: str, fuse: Fuse) -> None:
        """An operator refunds any generation, which may be unfinished, refunded, purged or another user's."""
        generation_id = data.draw(st.sampled_from(self.charged()))
        self.start(self.process(fuse).credits.refund_generation(user, generation_id, reason="a rule", actor="eve"), 0)

    @invariant()
    def promises_hold(self) -> None:
        """No promise that must hold at any moment is violated."""
        assert list(invariants.violations(self.snapshot())) == []

    @invariant()
    def keys_grant_once(self) -> None:
        """No user has two grants with the same key."""
        keys = Counter((entry.user_id, entry.idempotency_key) for entry in self.snapshot().entries)
        assert [key for key, grants in keys.items() if key[1] is not None and grants > 1] == []

    @invariant()
    def the_model_is_called_once(self) -> None:
        """The model is called at most once for each generation."""
        assert [generation for generation, calls in self.calls.items() if calls > 1] == []

    def teardown(self) -> None:
        """Assert that sweeps by one healthy process settle everything."""
        try:
            for _ in range(5):
                self.start(self.process(Fuse()).sweep(), 200)
            assert list(invariants.unsettled(self.snapshot())) == []
            self.promises_hold()
            self.the_model_is_called_once()
        finally:
            self.runner.close()


# Without a deadline, because the first run of a rule imports modules.
settings.register_profile("life", deadline=None, suppress_health_check=[HealthCheck.too_slow])

TestLifeOfAGeneration = LifeOfAGeneration.TestCase
TestLifeOfAGeneration.settings = settings(
    settings.get_profile("life"), max_examples=100, stateful_step_count=30, derandomize=True
)
