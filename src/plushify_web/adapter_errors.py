"""Messages for the errors of databases, storages and the operating system.

Beside the container, this is the only module of the package that knows the adapters and their technologies.
"""

import socket
import traceback


def database_error_message(error: BaseException) -> str | None:
    """Return the message of an error of the database; None for any other error."""
    import sqlite3

    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    from plushify_adapters.sql.migrate import SchemaError

    if isinstance(error, SchemaError):
        return str(error)
    if isinstance(error, DBAPIError):
        return str(error.orig or error)
    if isinstance(error, CommandError):
        # Alembic does not find the revision of the database among the migrations of this version.
        return f"it has the tables of another version of Plushify, probably a newer one ({error})"
    if isinstance(error, PoolTimeout):
        return "no connection became free in time"
    if isinstance(error, (sqlite3.Error, SQLAlchemyError)) or _package(type(error).__module__) == "asyncpg":
        return str(error) or type(error).__name__
    if isinstance(error, OSError) and raised_below("plushify_adapters.sql", error):
        return os_error_message(error)
    return None


def storage_error_message(error: BaseException) -> str | None:
    """Return the message of an error of the blob store; None for any other error.

    A file system of fsspec may raise any exception, so the place where the exception was raised decides.
    """
    from plushify_core.ports import BlobMissing

    if isinstance(error, BlobMissing):
        return f"there is no {error}"
    if not raised_below("plushify_adapters.blobs", error):
        return None
    return os_error_message(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def os_error_message(error: OSError) -> str:
    """Return the message of an error of the operating system."""
    if isinstance(error, socket.gaierror):
        return f"a host name cannot be resolved ({error.strerror})"
    if isinstance(error, TimeoutError) and not error.strerror:
        return "there was no answer in time"
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}: {error.filename}" if error.filename else reason


def raised_below(package: str, error: BaseException) -> bool:
    """Return whether this package called the foreign code that raised the error."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not modules or _package(modules[-1]).startswith("plushify"):
        return False
    ours = [module for module in modules if _package(module).startswith("plushify")]
    return bool(ours) and f"{ours[-1]}.".startswith(f"{package}.")


def _package(module: str) -> str:
    return module.partition(".")[0]
