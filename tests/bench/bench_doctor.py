"""Benchmark of `plushify doctor`: growth of its memory with the size of the installation.

The growth is small, because the audit reads in pages. The benchmark examines N generations with one blob each, on
SQLite and a folder, and then 4 N. The peak memory for an empty installation is subtracted from both.
`python -m tests.bench.bench_doctor --rows 250000` examines a million generations at last. With `--s3`, the blobs are on
a real S3 server on the same machine. Linux only.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from fsspec.core import url_to_fs
from s3fs import S3FileSystem
from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from plushify_adapters.conformance.store.entities import NOW, SECOND, entry, image, model_call, running, subscription
from plushify_adapters.sql import SqlStore
from plushify_adapters.sql._tables import GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS, SUBSCRIPTIONS
from plushify_adapters.sql.migrate import Migrations
from plushify_core.domain.errors import Code, Reason
from plushify_core.domain.generation import Failure, Generation
from plushify_core.domain.ledger import EntryKind
from plushify_core.domain.model_call import Outcome
from tests.adapters.blobs.seaweed import s3_server

ROWS = 5_000
GROWTH = 4
ROWS_PER_USER = 10
ROWS_PER_TRANSACTION = 2_000
ROWS_PER_MISSING_BLOB = 1_000
"""One of this many rows has no blob, so that there are findings."""

PHOTO = b"a photo"

EXAMINE = """
from pathlib import Path
from plushify_web.cli import main
try:
    main(["doctor", "--json"])
finally:
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


class Installation(msgspec.Struct, frozen=True):
    """Installation: the folder of its database, and its blob store."""

    folder: Path
    storage_url: str
    storage_options: dict[str, Any]


@contextmanager
def empty_installation(*, s3: bool) -> Iterator[Installation]:
    """Provide an empty installation until the block ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not s3:
            yield Installation(folder, (folder / "blobs").as_uri(), {"auto_mkdir": True})
            return
        with s3_server() as server:
            S3FileSystem(**server.options).mkdir("bucket")
            yield Installation(folder, "s3://bucket/installation", server.options)


async def fill(installation: Installation, rows: int) -> None:
    """Add `rows` failed generations, with their ledger entries, model calls and blobs."""
    store = SqlStore(f"sqlite:///{installation.folder / 'plushify.db'}")
    blobs, path = url_to_fs(installation.storage_url, **installation.storage_options)
    await Migrations(store.engine).upgrade()
    for done in range(0, rows, ROWS_PER_TRANSACTION):
        async with store.engine.begin() as connection:
            keys = await add_rows(connection, min(ROWS_PER_TRANSACTION, rows - done))
        del keys[::ROWS_PER_MISSING_BLOB]
        await asyncio.to_thread(blobs.pipe, {f"{path}/{key}": PHOTO for key in keys})
    await store.aclose()


async def add_rows(connection: AsyncConnection, rows: int) -> list[str]:
    """Add the rows of one transaction, and return the keys of their blobs."""
    failure = Failure(code=Code.GENERATION_FAILED, reason=Reason.CONTENT_POLICY, retryable=False)
    values: dict[Table, list[dict[str, Any]]] = {
        table: [] for table in (SUBSCRIPTIONS, GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS)
    }
    keys: list[str] = []
    for number in range(rows):
        if number % ROWS_PER_USER == 0:
            user = f"user-{os.urandom(8).hex()}"
            values[SUBSCRIPTIONS].append(msgspec.structs.asdict(subscription(user)) | {"balance": 3})
            values[LEDGER_ENTRIES].append(msgspec.structs.asdict(entry(3, user)))
        failed = with_photo(running(user)).fail(failure, at=NOW + 9 * SECOND, original_stored=True)
        values[GENERATIONS].append(msgspec.structs.asdict(failed))
        for kind, amount in ((EntryKind.CONSUME, -failed.credits_cost), (EntryKind.REFUND, failed.credits_cost)):
            posted = entry(amount, user, kind=kind, generation_id=failed.id)
            values[LEDGER_ENTRIES].append(msgspec.structs.asdict(posted))
        ended = msgspec.structs.asdict(model_call(failed.id, user_id=user).end(Outcome.FAILED, at=NOW + 9 * SECOND))
        values[MODEL_CALLS].append(ended | msgspec.structs.asdict(ended.pop("facts")))
        keys += failed.blob_keys
    for table, rows_of_table in values.items():
        await connection.execute(insert(table), rows_of_table)
    return keys


def with_photo(generation: Generation) -> Generation:
    """Return the generation with the key of its own blob."""
    photo = msgspec.structs.replace(image("original"), key=f"{generation.blob_prefix}original")
    return msgspec.structs.replace(generation, original=photo)


def examine(installation: Installation, missing_blobs: int) -> tuple[float, float]:
    """Run `plushify doctor`, which must find the missing blobs. Return its peak memory in MB, and its duration in s."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLUSHIFY_")} | {
        "PLUSHIFY_DATA_DIR": str(installation.folder),
        "PLUSHIFY_STORAGE_URL": installation.storage_url,
        "PLUSHIFY_STORAGE_OPTIONS": json.dumps(installation.storage_options),
        "MALLOC_ARENA_MAX": "1",  # otherwise the peak depends on how the work is spread over threads
    }
    started = time.perf_counter()
    doctor = subprocess.run(
        [sys.executable, "-c", EXAMINE],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    *lines, peak_kb = doctor.stdout.splitlines()
    summary = json.loads(lines[-1])
    assert (summary["type"], summary["disagreeing"], summary["errors"]) == ("summary", missing_blobs, 0), lines[-1]
    return int(peak_kb) / 1000, seconds


def main(rows: int = ROWS, *, s3: bool = False) -> None:
    """Print the ratio of the peaks."""
    with empty_installation(s3=s3) as installation:
        asyncio.run(fill(installation, 0))
        empty_mb, _ = examine(installation, 0)
        asyncio.run(fill(installation, rows))
        mb, _ = examine(installation, count_missing_blobs(rows))
        asyncio.run(fill(installation, (GROWTH - 1) * rows))
        more_mb, seconds = examine(installation, count_missing_blobs(rows) + count_missing_blobs((GROWTH - 1) * rows))
    print(
        f"doctor on {'S3' if s3 else 'a folder'}, peak memory above that of an empty installation ({empty_mb:.0f} MB): "
        f"{(more_mb - empty_mb) / (mb - empty_mb):.2f} × as much for {GROWTH} × the rows and blobs "
        f"({mb - empty_mb:.1f} MB for {rows}, {more_mb - empty_mb:.1f} MB for {GROWTH * rows}, "
        f"{GROWTH * rows / seconds:.0f}/s)"
    )


def count_missing_blobs(rows: int) -> int:
    """Return how many blobs one call of `fill` leaves out."""
    whole, rest = divmod(rows, ROWS_PER_TRANSACTION)
    return whole * -(-ROWS_PER_TRANSACTION // ROWS_PER_MISSING_BLOB) + -(-rest // ROWS_PER_MISSING_BLOB)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--s3", action="store_true")
    options = parser.parse_args()
    main(options.rows, s3=options.s3)
