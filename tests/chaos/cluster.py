"""Replicas over one PostgreSQL and one S3 server, and what can happen to those."""

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
"""A store that hangs is given up before the generation is."""

CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

KINDS = (Kind.CUT, Kind.SILENT, Kind.STORE_DOWN, Kind.STORE_HANGS)


@contextmanager
def cluster(folder: Path, *, free_credits: int, keep: int = 10_000) -> Iterator[Site]:
    """The servers without any replica, until the block ends.

    Args:
        folder: for logs.
        free_credits: what a new user gets.
        keep: how many requests the emulator remembers; it must be all of them.
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

        async def cut(_: float) -> None:
            async with site.store.engine.begin() as connection:
                await connection.execute(CUT)

        async def silent(lasts_s: float) -> None:
            proxy.silence(new_too=True)
            await asyncio.sleep(lasts_s)
            proxy.recover()

        async def down(lasts_s: float) -> None:
            s3.stop()
            await asyncio.sleep(lasts_s)
            await asyncio.to_thread(s3.start)

        async def hangs(lasts_s: float) -> None:
            s3.send_signal(signal.SIGSTOP)
            await asyncio.sleep(lasts_s)
            s3.send_signal(signal.SIGCONT)

        site.strikes = {Kind.CUT: cut, Kind.SILENT: silent, Kind.STORE_DOWN: down, Kind.STORE_HANGS: hangs}
        yield site
