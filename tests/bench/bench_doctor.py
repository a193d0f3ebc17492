"""How the memory of `plushify doctor` grows with the installation: hardly at all, for it reads in pages.

It examines N generations with a blob each, on SQLite and a folder, and then 4 N; the peak of an empty installation is
subtracted from both. `python -m tests.bench.bench_doctor --rows 250000` examines a million in the end; with `--s3`,
the blobs are on a real S3 server, which shares the machine. Linux only.
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
ROWS_PER_FAULT = 1_000
"""One of so many has lost its blob, so that there is something to find."""

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
    """Where everything is kept."""

    folder: Path
    storage_url: str
    storage_options: dict[str, Any]


@contextmanager
def empty_installation(*, s3: bool) -> Iterator[Installation]:
    """One that lasts as long as the block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not s3:
            yield Installation(folder, (folder / "blobs").as_uri(), {"auto_mkdir": True})
            return
        with s3_server() as server:
            S3FileSystem(**server.options).mkdir("bucket")
            yield Installation(folder, "s3://bucket/installation", server.options)


async def fill(installation: Installation, rows: int) -> None:
    """Add so many failed generations, with their entries, calls and blobs."""
    store = SqlStore(f"sqlite:///{installation.folder / 'plushify.db'}")
    blobs, path = url_to_fs(installation.storage_url, **installation.storage_options)
    await Migrations(store.engine).upgrade()
    for done in range(0, rows, ROWS_PER_TRANSACTION):
        async with store.engine.begin() as connection:
            keys = await add(connection, min(ROWS_PER_TRANSACTION, rows - done))
        del keys[::ROWS_PER_FAULT]
        await asyncio.to_thread(blobs.pipe, {f"{path}/{key}": PHOTO for key in keys})
    await store.aclose()


async def add(connection: AsyncConnection, rows: int) -> list[str]:
    """Add those of one transaction; the keys that they name."""
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
        made = with_photo(running(user)).fail(failure, at=NOW + 9 * SECOND, original_stored=True)
        values[GENERATIONS].append(msgspec.structs.asdict(made))
        for kind, amount in ((EntryKind.CONSUME, -made.credits_cost), (EntryKind.REFUND, made.credits_cost)):
            posted = entry(amount, user, kind=kind, generation_id=made.id)
            values[LEDGER_ENTRIES].append(msgspec.structs.asdict(posted))
        ended = msgspec.structs.asdict(model_call(made.id, user_id=user).end(Outcome.FAILED, at=NOW + 9 * SECOND))
        values[MODEL_CALLS].append(ended | msgspec.structs.asdict(ended.pop("facts")))
        keys += made.blob_keys
    for table, found in values.items():
        await connection.execute(insert(table), found)
    return keys


def with_photo(generation: Generation) -> Generation:
    """The generation, with a blob of its own."""
    photo = msgspec.structs.replace(image("original"), key=f"{generation.blob_prefix}original")
    return msgspec.structs.replace(generation, original=photo)


def examined(installation: Installation, faults: int) -> tuple[float, float]:
    """The peak memory of a doctor, in MB, and the seconds it took."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLUSHIFY_")} | {
        "PLUSHIFY_DATA_DIR": str(installation.folder),
        "PLUSHIFY_STORAGE_URL": installation.storage_url,
        "PLUSHIFY_STORAGE_OPTIONS": json.dumps(installation.storage_options),
        "MALLOC_ARENA_MAX": "1",  # with an arena per thread, the peak would depend on which thread did what
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
    assert (summary["type"], summary["disagreeing"], summary["errors"]) == ("summary", faults, 0), lines[-1]
    return int(peak_kb) / 1000, seconds


def main(rows: int = ROWS, *, s3: bool = False) -> None:
    """Print the ratio."""
    with empty_installation(s3=s3) as installation:
        asyncio.run(fill(installation, 0))
        empty_mb, _ = examined(installation, 0)
        asyncio.run(fill(installation, rows))
        mb, _ = examined(installation, faults_in(rows))
        asyncio.run(fill(installation, (GROWTH - 1) * rows))
        more_mb, seconds = examined(installation, faults_in(rows) + faults_in((GROWTH - 1) * rows))
    print(
        f"doctor on {'S3' if s3 else 'a folder'}, peak memory above that of an empty installation ({empty_mb:.0f} MB): "
        f"{(more_mb - empty_mb) / (mb - empty_mb):.2f} times as much for {GROWTH} times the rows and blobs "
        f"({mb - empty_mb:.1f} MB for {rows}, {more_mb - empty_mb:.1f} MB for {GROWTH * rows}, "
        f"{GROWTH * rows / seconds:.0f}/s)"
    )


def faults_in(rows: int) -> int:
    """How many blobs one `fill` leaves out."""
    whole, rest = divmod(rows, ROWS_PER_TRANSACTION)
    return whole * -(-ROWS_PER_TRANSACTION // ROWS_PER_FAULT) + -(-rest // ROWS_PER_FAULT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--s3", action="store_true")
    options = parser.parse_args()
    main(options.rows, s3=options.s3)
