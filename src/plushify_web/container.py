"""Where everything is wired: the only module that knows dependency-injector, and the only one that knows every adapter.

An adapter is imported when it is first needed, so that a missing extra matters only to who uses it.
"""

import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from dependency_injector import containers, providers
from uuid_utils.compat import uuid7

from plushify_adapters.memory import MemoryEvents
from plushify_core import (
    AuditUseCase,
    CostsUseCase,
    CreditsUseCase,
    GalleryUseCase,
    GenerateUseCase,
    RecoverUseCase,
)
from plushify_core.ports import BlobStore, ImageCodec, ImageModel
from plushify_web.accounts import Accounts
from plushify_web.auth import SessionCookie
from plushify_web.health import HealthChecks
from plushify_web.preflight import Preflight
from plushify_web.runner import Runner
from plushify_web.settings import Settings, SettingsError, load_catalog, load_settings

if TYPE_CHECKING:
    from plushify_adapters.sql import SqlStore


def _data_dir(settings: Settings) -> Path:
    """The data directory; only its owner may look into it, for it holds people's photos."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.data_dir.resolve()


def _database_url(settings: Settings) -> str:
    return settings.database_url or f"sqlite:///{_data_dir(settings) / 'plushify.db'}"


def _store(database_url: str, closing: "AsyncExitStack[None]") -> "SqlStore":
    from plushify_adapters.sql import SqlStore

    try:
        store = SqlStore(database_url)
    except ValueError as error:
        raise SettingsError(f"PLUSHIFY_DATABASE_URL: {error}.") from error
    closing.push_async_callback(store.aclose)
    return store


def _blobs(settings: Settings) -> BlobStore:
    from plushify_adapters.blobs import FsspecBlobStore

    url = settings.storage_url or (_data_dir(settings) / "blobs").as_uri()
    try:
        return FsspecBlobStore(url, options=settings.storage_options)
    except (ValueError, TypeError, ImportError) as error:  # an unknown scheme, an unknown option, a missing extra
        raise SettingsError(f"PLUSHIFY_STORAGE_URL or PLUSHIFY_STORAGE_OPTIONS: {error}.") from error


def _codec() -> ImageCodec:
    from plushify_adapters.images import VipsImageCodec

    return VipsImageCodec()


def _model(settings: Settings, closing: "AsyncExitStack[None]") -> ImageModel:
    if settings.model_kind == "felt":
        from plushify_adapters.felt import FeltModel

        return FeltModel()

    from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions

    assert settings.openrouter_api_key is not None, "the settings were checked"
    try:
        options = OpenRouterOptions(
            base_url=settings.openrouter_base_url,
            api=Api(settings.openrouter_api),
            model=settings.image_model,
            fallback_models=settings.openrouter_fallback_models,
            data_collection=settings.openrouter_data_collection,
            zero_data_retention=settings.openrouter_zdr,
            app_url=settings.public_url,
            largest_side_px=settings.image_model_largest_side_px,
        )
    except ValueError as error:
        raise SettingsError(f"PLUSHIFY_OPENROUTER_BASE_URL: {error}.") from error
    model = OpenRouterModel(settings.openrouter_api_key, options)
    closing.push_async_callback(model.aclose)
    return model


def _checks(store: "SqlStore", blobs: BlobStore) -> HealthChecks:
    from plushify_adapters.sql import migrate

    async def database() -> None:
        if not await migrate.check(store.engine):
            raise RuntimeError("the database is not at the head of its migrations: run `plushify migrate`")

    async def blob_store() -> None:
        async for _ in blobs.keys("health/"):
            break

    return HealthChecks({"database": database, "blob store": blob_store})


class Container(containers.DeclarativeContainer):
    """One of each for one application. What has a connection is closed with `closing`.

    A provider that stands for a callable is injected as `….provider`: the port is a callable, not its result.
    """

    settings = providers.Singleton(load_settings, os.environ)
    closing: providers.Singleton["AsyncExitStack[None]"] = providers.Singleton(AsyncExitStack)
    clock = providers.Factory(datetime.now, UTC)
    new_id = providers.Factory(uuid7)

    limits = settings.provided.limits
    catalog = providers.Singleton(load_catalog, settings.provided.catalog)
    database_url = providers.Singleton(_database_url, settings)
    store = providers.Singleton(_store, database_url, closing)
    blobs = providers.Singleton(_blobs, settings)
    codec = providers.Singleton(_codec)
    model = providers.Singleton(_model, settings, closing)
    events = providers.Singleton(MemoryEvents)
    hasher = providers.Singleton(PasswordHasher)

    generate = providers.Singleton(
        GenerateUseCase,
        store=store,
        blobs=blobs,
        codec=codec,
        model=model,
        events=events,
        clock=clock.provider,
        new_id=new_id.provider,
        catalog=catalog,
        limits=limits,
    )
    gallery = providers.Singleton(
        GalleryUseCase, store=store, blobs=blobs, events=events, clock=clock.provider, limits=limits
    )
    credits = providers.Singleton(
        CreditsUseCase, store=store, events=events, clock=clock.provider, new_id=new_id.provider, limits=limits
    )
    recover = providers.Singleton(
        RecoverUseCase,
        store=store,
        blobs=blobs,
        events=events,
        clock=clock.provider,
        new_id=new_id.provider,
        limits=limits,
    )
    audit = providers.Singleton(
        AuditUseCase, store=store, blobs=blobs, clock=clock.provider, new_id=new_id.provider, limits=limits
    )
    costs = providers.Singleton(CostsUseCase, store=store, clock=clock.provider)
    accounts = providers.Singleton(
        Accounts,
        store=store,
        credits_use_case=credits,
        hasher=hasher,
        clock=clock.provider,
        new_id=new_id.provider,
        session_lifetime=settings.provided.session_lifetime,
    )
    cookie = providers.Singleton(
        SessionCookie, lifetime=settings.provided.session_lifetime, secure=settings.provided.secure
    )
    checks = providers.Singleton(_checks, store, blobs)
    preflight = providers.Singleton(Preflight, model=model, blobs=blobs, new_id=new_id.provider)
    runner = providers.Singleton(
        Runner,
        generate=generate,
        gallery=gallery,
        recover=recover,
        timeout_s=limits.timeout_s,
        max_in_flight=settings.provided.max_in_flight,
        max_running=settings.provided.max_running,
        sweep_interval_s=settings.provided.sweep_interval_s,
        drain_s=settings.provided.drain_s,
    )
