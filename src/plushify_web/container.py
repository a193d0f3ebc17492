"""Composition root: the only module that imports dependency-injector, and the only one that knows the adapters.

An adapter is imported when it is first needed, so an installation needs only the extras of the adapters that it uses.
"""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from dependency_injector import containers, providers

from plushify_adapters.memory import MemoryEvents
from plushify_core import Plushify, utc_now
from plushify_core.ports import AccountStore, BlobStore, Clock, ImageCodec, ImageModel
from plushify_web.api.health import ReadinessChecks
from plushify_web.identity.accounts import Accounts
from plushify_web.identity.authentication import SessionCookie
from plushify_web.preflight import Preflight
from plushify_web.settings import Settings, SettingsError, load_catalog, load_settings

if TYPE_CHECKING:
    from plushify_adapters.sql import SqlStore
    from plushify_adapters.sql.migrate import Migrations


def _data_dir(settings: Settings) -> Path:
    """Return the data directory. Only its owner may read it, because it holds photos of people."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.data_dir.resolve()


def _database_url(settings: Settings) -> str:
    return settings.database_url or f"sqlite:///{_data_dir(settings) / 'plushify.db'}"


def _store(database_url: str, closing: "AsyncExitStack[None]", clock: Clock) -> "SqlStore":
    from plushify_adapters.sql import SqlStore

    try:
        store = SqlStore(database_url, clock=clock)
    except ValueError as error:
        raise SettingsError(f"PLUSHIFY_DATABASE_URL: {error}.") from error
    closing.push_async_callback(store.aclose)
    return store


def _account_store(store: "SqlStore") -> AccountStore:
    from plushify_adapters.sql import SqlAccountStore

    return SqlAccountStore(store.engine)


def _migrations(store: "SqlStore") -> "Migrations":
    from plushify_adapters.sql.migrate import Migrations

    return Migrations(store.engine)


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

    assert settings.openrouter_api_key is not None, "load_settings requires the key"
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


def _readiness_checks(migrations: "Migrations", blobs: BlobStore) -> ReadinessChecks:
    async def check_database() -> None:
        if not await migrations.is_current():
            raise RuntimeError("the database has another schema than this version: run `plushify migrate`")

    async def check_blob_store() -> None:
        async for _ in blobs.keys("health/"):
            break

    return ReadinessChecks(checks={"database": check_database, "blob store": check_blob_store})


def database_error_message(error: Exception) -> str | None:
    """Return the message of the database driver; None if this is not an error of the database."""
    from sqlalchemy.exc import DBAPIError

    return str(error.orig) if isinstance(error, DBAPIError) else None


class Container(containers.DeclarativeContainer):
    """Providers of the objects of one application. Leaving the context `closing` closes the open connections."""

    settings = providers.Singleton(load_settings, os.environ)
    closing: providers.Singleton["AsyncExitStack[None]"] = providers.Singleton(AsyncExitStack)
    clock = providers.Factory(utc_now)

    database_url = providers.Singleton(_database_url, settings)
    store = providers.Singleton(_store, database_url, closing, clock.provider)
    account_store = providers.Singleton(_account_store, store)
    migrations = providers.Singleton(_migrations, store)
    blobs = providers.Singleton(_blobs, settings)
    codec = providers.Singleton(_codec)
    model = providers.Singleton(_model, settings, closing)
    events = providers.Singleton(MemoryEvents)
    hasher = providers.Singleton(PasswordHasher)

    plushify = providers.Singleton(
        Plushify,
        store=store,
        blobs=blobs,
        codec=codec,
        model=model,
        events=events,
        clock=clock.provider,  # the provider is the callable of the port, so a test can override the time
        catalog=providers.Singleton(load_catalog, settings.provided.catalog),
        limits=settings.provided.limits,
    )
    accounts = providers.Singleton(
        Accounts,
        store=account_store,
        credits=plushify.provided.credits,
        hasher=hasher,
        clock=clock.provider,
        new_id=plushify.provided.new_id,
        session_lifetime=settings.provided.session_lifetime,
    )
    cookie = providers.Singleton(
        SessionCookie, lifetime=settings.provided.session_lifetime, secure=settings.provided.secure
    )
    readiness_checks = providers.Singleton(_readiness_checks, migrations, blobs)
    preflight = providers.Singleton(Preflight, model=model, blobs=blobs, new_id=plushify.provided.new_id)
