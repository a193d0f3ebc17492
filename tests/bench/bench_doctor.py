"""How the memory of `plushify doctor` grows with the house: hardly at all, for it reads in pages.

It examines N generations with a blob each, on SQLite and a folder, and then 4 N; the peak of an empty house is
subtracted from both. `python -m tests.bench.bench_doctor --rows 250000` examines a million in the end. Linux only.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from plushify_adapters.conformance.store.entities import NOW, SECOND, entry, image, model_call, running, subscription
from plushify_adapters.sql import SqlStore, migrate
from plushify_adapters.sql.tables import GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS, SUBSCRIPTIONS
from plushify_core.errors import Code, Reason
from plushify_core.generation import Failure, Generation
from plushify_core.ledger import EntryKind
from plushify_core.model_call import Outcome

ROWS = 5_000
GROWTH = 4
ROWS_PER_USER = 10
ROWS_PER_TRANSACTION = 2_000
ROWS_PER_FAULT = 1_000
"""One of so many has lost its blob, so that there is something to find."""

EXAMINE = """
from pathlib import Path
from plushify_web.cli import main
try:
    main(["doctor", "--json"])
finally:
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


async def fill(folder: Path, rows: int) -> None:
    """Add so many failed generations, with their entries, calls and blobs."""
    store = SqlStore(f"sqlite:///{folder / 'plushify.db'}")
    await migrate.upgrade(store.engine)
    for done in range(0, rows, ROWS_PER_TRANSACTION):
        async with store.engine.begin() as connection:
            await add(connection, folder / "blobs", min(ROWS_PER_TRANSACTION, rows - done))
    await store.aclose()


async def add(connection: AsyncConnection, blobs: Path, rows: int) -> None:
    """Add those of one transaction."""
    failure = Failure(code=Code.GENERATION_FAILED, reason=Reason.CONTENT_POLICY, retryable=False)
    values: dict[Table, list[dict[str, Any]]] = {
        table: [] for table in (SUBSCRIPTIONS, GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS)
    }
    for number in range(rows):
        if number % ROWS_PER_USER == 0:
            user = f"user-{os.urandom(8).hex()}"
            values[SUBSCRIPTIONS].append(msgspec.structs.asdict(subscription(user)) | {"balance": 3})
            values[LEDGER_ENTRIES].append(msgspec.structs.asdict(entry(3, user)))
        made = with_photo(running(user)).failed(failure, at=NOW + 9 * SECOND, original_stored=True)
        values[GENERATIONS].append(msgspec.structs.asdict(made))
        for kind, amount in ((EntryKind.CONSUME, -made.credits_cost), (EntryKind.REFUND, made.credits_cost)):
            posted = entry(amount, user, kind=kind, generation_id=made.id)
            values[LEDGER_ENTRIES].append(msgspec.structs.asdict(posted))
        ended = msgspec.structs.asdict(model_call(made.id, user_id=user).ended(Outcome.FAILED, at=NOW + 9 * SECOND))
        values[MODEL_CALLS].append(ended | msgspec.structs.asdict(ended.pop("facts")))
        assert made.original is not None
        if number % ROWS_PER_FAULT:
            file = blobs / made.original.key
            file.parent.mkdir(parents=True)
            file.write_bytes(b"a photo")
    for table, found in values.items():
        await connection.execute(insert(table), found)


def with_photo(generation: Generation) -> Generation:
    """The generation, with a blob of its own."""
    photo = msgspec.structs.replace(image("original"), key=f"{generation.blob_prefix}original")
    return msgspec.structs.replace(generation, original=photo)


def examined(folder: Path, faults: int) -> tuple[float, float]:
    """The peak memory of a doctor, in MB, and the seconds it took."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLUSHIFY_")}
    started = time.perf_counter()
    doctor = subprocess.run(
        [sys.executable, "-c", EXAMINE],
        # With an arena per thread, the peak would depend on which thread did what.
        env={**environ, "PLUSHIFY_DATA_DIR": str(folder), "MALLOC_ARENA_MAX": "1"},
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


def main(rows: int = ROWS) -> None:
    """Print the ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder, 0))
        empty_mb, _ = examined(folder, 0)
        asyncio.run(fill(folder, rows))
        mb, _ = examined(folder, faults_in(rows))
        asyncio.run(fill(folder, (GROWTH - 1) * rows))
        more_mb, seconds = examined(folder, faults_in(rows) + faults_in((GROWTH - 1) * rows))
    print(
        f"doctor, peak memory above that of an empty house ({empty_mb:.0f} MB): "
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
    main(parser.parse_args().rows)
