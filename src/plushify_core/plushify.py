"""Front door of the core: all use cases over one set of ports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from plushify_core.domain.catalog import DEFAULT_CATALOG, Catalog
from plushify_core.domain.limits import Limits
from plushify_core.ports import (
    BlobStore,
    Clock,
    Events,
    ImageCodec,
    ImageModel,
    NewId,
    Store,
    utc_now,
    uuid7,
)
from plushify_core.use_cases.audit import AuditUseCase
from plushify_core.use_cases.costs import CostsUseCase
from plushify_core.use_cases.credits import CreditsUseCase
from plushify_core.use_cases.gallery import GalleryUseCase
from plushify_core.use_cases.generate import GenerateUseCase
from plushify_core.use_cases.installation import InstallationUseCase
from plushify_core.use_cases.recover import RecoverUseCase
from plushify_core.worker.runner import Runner
from plushify_core.worker.sweeper import Job, Sweeper


@dataclass(frozen=True, kw_only=True, eq=False)
class Plushify:
    """All use cases over one set of ports.

    Args:
        store: database of generations, credits and model calls.
        blobs: storage of the pictures.
        codec: reader and writer of pictures.
        model: image model that draws.
        events: publisher of changes.
        clock: current time in UTC, for limits and reports of a day and the age of orphaned blobs. All other times are
            those of the store.
        new_id: new ids that sort by time.
        catalog: styles and qualities to choose from.
        limits: limits and durations.
    """

    store: Store
    blobs: BlobStore
    codec: ImageCodec
    model: ImageModel
    events: Events
    clock: Clock = utc_now
    new_id: NewId = uuid7
    catalog: Catalog = DEFAULT_CATALOG
    limits: Limits = field(default_factory=Limits)

    @cached_property
    def generate(self) -> GenerateUseCase:
        """Submission and running of generations."""
        return GenerateUseCase(
            store=self.store,
            blobs=self.blobs,
            codec=self.codec,
            model=self.model,
            events=self.events,
            clock=self.clock,
            new_id=self.new_id,
            catalog=self.catalog,
            limits=self.limits,
        )

    @cached_property
    def gallery(self) -> GalleryUseCase:
        """Gallery of a user."""
        return GalleryUseCase(store=self.store, blobs=self.blobs, events=self.events, limits=self.limits)

    @cached_property
    def credits(self) -> CreditsUseCase:
        """Credits of a user."""
        return CreditsUseCase(store=self.store, events=self.events, new_id=self.new_id, limits=self.limits)

    @cached_property
    def recover(self) -> RecoverUseCase:
        """Recovery after a dead process, and purge of deleted generations."""
        return RecoverUseCase(
            store=self.store,
            blobs=self.blobs,
            events=self.events,
            new_id=self.new_id,
            limits=self.limits,
        )

    @cached_property
    def audit(self) -> AuditUseCase:
        """Search for inconsistencies."""
        return AuditUseCase(
            store=self.store, blobs=self.blobs, clock=self.clock, new_id=self.new_id, limits=self.limits
        )

    @cached_property
    def installation(self) -> InstallationUseCase:
        """Check that database and blob store belong together."""
        return InstallationUseCase(store=self.store, blobs=self.blobs, new_id=self.new_id)

    @cached_property
    def costs(self) -> CostsUseCase:
        """Costs of the image model."""
        return CostsUseCase(store=self.store, clock=self.clock)

    @cached_property
    def runner(self) -> Runner:
        """Runner of the generations of this process."""
        return Runner(generate=self.generate, gallery=self.gallery, limits=self.limits)

    @cached_property
    def sweeper(self) -> Sweeper:
        """Periodic recovery of this process."""
        return Sweeper(recover=self.recover, runner=self.runner, limits=self.limits)

    @asynccontextmanager
    async def running(self, *jobs: Job) -> AsyncIterator[None]:
        """Sweep periodically while the block is open, and drain the running generations when it ends.

        Args:
            jobs: further jobs of the service, run at each sweep interval.
        """
        async with self.sweeper.running(*jobs), self.runner.running():
            yield
