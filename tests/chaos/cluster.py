"""Site with a PostgreSQL server and an S3 server, and their faults."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import s3fs
from sqlalchemy import text

from tests.adapters.blobs.seaweed import s3_server
from tests.adapters.postgres import PostgresServer
from tests.adapters.silent_proxy import threaded_silent_proxy
from tests.chaos.plan import Kind
from tests.chaos.site import Site
from tests.emulators.process import openrouter_emulator

BUCKET = "plushies"

S3_CONFIG = {"signature_version": "s3v4", "connect_timeout": 2, "read_timeout": 4, "retries": {"max_attempts": 1}}
"""Timeouts of the S3 client: a request to a hung store fails before the deadline of its generation."""

TERMINATE_CONNECTIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

KINDS = (Kind.CONNECTIONS_CUT, Kind.DATABASE_SILENT, Kind.STORE_DOWN, Kind.STORE_HANGS)


@contextmanager
def cluster(folder: Path, *, free_credits: int, keep: int = 10_000) -> Iterator[Site]:
    """Run the servers, without replicas, until the block ends.

    Args:
        folder: folder for logs.
        free_credits: credits of a new user.
        keep: number of requests that the emulator of the model keeps. It must not be less than the number of calls.
    """
    with (
        PostgresServer(durable=True) as postgres,
        s3_server() as s3,
        openrouter_emulator(keep=keep) as model,
        threaded_silent_proxy(database_url := postgres.new_database()) as proxy,
    ):
        s3fs.S3FileSystem(**s3.options).mkdir(BUCKET)
        site = Site(
            "PostgreSQL and SeaweedFS",
            folder,
            model,
            database_url=database_url.replace("postgresql://", "postgresql+asyncpg://"),
            replicas_database_url=proxy.url,
            storage_url=f"s3://{BUCKET}/chaos",
            storage_options={**s3.options, "config_kwargs": S3_CONFIG},
            free_credits=free_credits,
        )

        async def cut_connections(_: float) -> None:
            async with site.store.engine.begin() as connection:
                await connection.execute(TERMINATE_CONNECTIONS)

        async def silence_database(lasts_s: float) -> None:
            proxy.silence(new_too=True)
            await asyncio.sleep(lasts_s)
            proxy.recover()

        async def stop_store(lasts_s: float) -> None:
            s3.stop()
            await asyncio.sleep(lasts_s)
            await asyncio.to_thread(s3.start)

        async def hang_store(lasts_s: float) -> None:
            s3.send_signal(signal.SIGSTOP)
            await asyncio.sleep(lasts_s)
            s3.send_signal(signal.SIGCONT)

        site.fault_injectors = {
            Kind.CONNECTIONS_CUT: cut_connections,
            Kind.DATABASE_SILENT: silence_database,
            Kind.STORE_DOWN: stop_store,
            Kind.STORE_HANGS: hang_store,
        }
        yield site
