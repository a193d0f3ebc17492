"""Composition root: the only module that imports dependency-injector, and the one that builds the adapters.

An adapter is imported when it is first needed, so an installation needs only the extras of the adapters that it uses.
"""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from dependency_injector import containers, providers

from plushify_adapters.memory import MemoryEvents
from plushify_core import (
    AuditUseCase,
    CostsUseCase,
    CreditsUseCase,
    InstallationUseCase,
    Plushify,
    RecoverUseCase,
    WrongStorage,
    utc_now,
    uuid7,
)
from plushify_core.ports import AccountStore, BlobStore, Clock, ImageCodec, ImageModel
from plushify_web.api.health import ReadinessChecks
from plushify_web.identity.accounts import Accounts
from plushify_web.identity.authentication import SessionCookie
from plushify_web.preflight import Preflight
from plushify_web.settings import Settings, SettingsError, load_catalog, load_settings, local_folder

if TYPE_CHECKING:
    from sqlalchemy import URL

    from plushify_adapters.sql import SqlStore
    from plushify_adapters.sql.migrate import Migrations


def _data_dir(settings: Settings) -> Path:
    """Return the data directory. Only its owner may read it, because it holds photos of people."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return settings.data_dir.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of symbolic links
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"PLUSHIFY_DATA_DIR: cannot use the folder {settings.data_dir}: {reason}.") from error


def _database_url(settings: Settings) -> "str | URL":
    from sqlalchemy import URL

    # The path of the data directory is not written into a text, where a `?` or `%` would have a meaning.
    return settings.database_url or URL.create("sqlite", database=str(_data_dir(settings) / "plushify.db"))


def _store(database_url: "str | URL", settings: Settings, closing: "AsyncExitStack[None]", clock: Clock) -> "SqlStore":
    from plushify_adapters.sql import SqlStore

    try:
        store = SqlStore(
            database_url,
            clock=clock,
            statement_timeout_s=settings.database_timeout_s,
            idle_in_transaction_timeout_s=settings.database_timeout_s,
            connect_timeout_s=settings.database_connect_timeout_s,
            pool_timeout_s=settings.database_pool_timeout_s,
        )
    except (ValueError, ImportError) as error:  # ImportError: a missing extra
        raise SettingsError(f"PLUSHIFY_DATABASE_URL: {error}{_extra(error)}.") from error
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

    if settings.storage_url is None:
        return FsspecBlobStore(_data_dir(settings) / "blobs")
    try:
        location = local_folder(settings.storage_url) or settings.storage_url
        return FsspecBlobStore(location, options=settings.storage_options)
    except SettingsError:
        raise
    except Exception as error:  # an unknown scheme, an unknown option, a missing extra, an error of the file system
        reason = f"{str(error).rstrip('.') or type(error).__name__}{_extra(error)}"
        raise SettingsError(f"PLUSHIFY_STORAGE_URL or PLUSHIFY_STORAGE_OPTIONS: {reason}.") from error


_EXTRAS = {"asyncpg": "postgres", "s3fs": "s3"}
"""Extras of Plushify by the module that is missing without them."""


def _extra(error: Exception) -> str:
    """Return the advice for a missing extra; nothing for other errors."""
    for cause in (error, error.__cause__, error.__context__):
        extra = _EXTRAS.get((cause.name or "").partition(".")[0]) if isinstance(cause, ImportError) else None
        if extra is not None:
            return f": install plushify[{extra}]"
    return ""


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
    try:
        model = OpenRouterModel(settings.openrouter_api_key, options)
    except Exception as error:
        proxies = _proxy_variables()
        if not proxies:
            raise
        # The HTTP client reads these variables when it is made. Their values may contain passwords.
        raise SettingsError(
            f"{' or '.join(proxies)} cannot be applied: a proxy is http://host:port or, if httpx[socks] is installed, "
            "socks5://host:port; NO_PROXY takes host names and addresses without brackets, with commas in between."
        ) from error
    closing.push_async_callback(model.aclose)
    return model


def _readiness_checks(migrations: "Migrations", blobs: BlobStore, installation: InstallationUseCase) -> ReadinessChecks:
    belong_together = False

    async def check_blob_store() -> None:
        async for _ in blobs.keys("health/"):
            break
        nonlocal belong_together
        if belong_together:
            return
        try:
            await installation.verify()  # the server may have started while the blob store was down
        except WrongStorage:
            raise
        except Exception:
            return  # the database is not ready, which its own check tells
        belong_together = True

    return ReadinessChecks(checks={"database": migrations.check, "blob store": check_blob_store})


def _proxy_variables() -> list[str]:
    """Return the names of the variables of this environment that configure a proxy."""
    return sorted(name for name, text in os.environ.items() if name.lower().endswith("_proxy") and text)


class Container(containers.DeclarativeContainer):
    """Makes the objects of one application when they are first needed. Leaving `closing` closes the connections."""

    settings = providers.Singleton(load_settings, os.environ)
    closing: providers.Singleton["AsyncExitStack[None]"] = providers.Singleton(AsyncExitStack)
    clock = providers.Factory(utc_now)
    limits = settings.provided.limits

    database_url = providers.Singleton(_database_url, settings)
    store = providers.Singleton(_store, database_url, settings, closing, clock.provider)
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
        limits=limits,
    )
    # The commands of an operator use these instead of `plushify`: they must work while the catalog, the codec or the
    # model is broken or not installed.
    credits = providers.Singleton(CreditsUseCase, store=store, events=events, new_id=uuid7, limits=limits)
    costs = providers.Singleton(CostsUseCase, store=store, clock=clock.provider)
    audit = providers.Singleton(
        AuditUseCase, store=store, blobs=blobs, clock=clock.provider, new_id=uuid7, limits=limits
    )
    recover = providers.Singleton(
        RecoverUseCase,
        store=store,
        blobs=blobs,
        events=events,
        new_id=uuid7,
        limits=limits,
    )
    accounts = providers.Singleton(
        Accounts,
        store=account_store,
        credits=credits,
        hasher=hasher,
        clock=clock.provider,
        new_id=uuid7,
        session_lifetime=settings.provided.session_lifetime,
    )
    cookie = providers.Singleton(
        SessionCookie, lifetime=settings.provided.session_lifetime, secure=settings.provided.secure
    )
    installation = providers.Singleton(InstallationUseCase, store=store, blobs=blobs, new_id=uuid7)
    readiness_checks = providers.Singleton(_readiness_checks, migrations, blobs, installation)
    preflight = providers.Singleton(Preflight, model=model, blobs=blobs, new_id=uuid7)
