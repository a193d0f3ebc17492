"""Retries: logged by `logging`, and never printed to stdout, where a program writes its results."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stamina.instrumentation import (
    RetryDetails,
    StructlogOnRetryHook,
    get_on_retry_hooks,
    set_on_retry_hooks,
)

from plushify_adapters.openrouter import OpenRouterModel
from plushify_core.ports import EncodedImage
from tests.adapters.openrouter.support import KEY, ModelOnEmulator, request_for
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

REPOSITORY = Path(__file__).parents[3]
PROGRAM = """
import asyncio, sys
from pathlib import Path
from plushify_adapters.openrouter import OpenRouterModel, OpenRouterOptions
from plushify_core.ports import EncodedImage
from tests.adapters.openrouter.support import KEY, request_for

async def main():
    photo = EncodedImage(data=b"\\xff\\xd8\\xff photo", media_type="image/jpeg", width=3, height=2)
    model = OpenRouterModel(KEY, OpenRouterOptions(base_url=sys.argv[1], first_pause_s=0.0))
    try:
        await model.generate(request_for(photo))
    except Exception as error:
        print(type(error).__name__)
    await model.aclose()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _stamina_defaults() -> Iterator[None]:
    """Restore stamina's own hooks, because they are global."""
    set_on_retry_hooks(None)
    yield
    set_on_retry_hooks(None)


def test_a_program_prints_no_retries(emulator: OpenRouterEmulator) -> None:
    """A program without any logging configuration has only its own output on stdout."""
    emulator.script(["overloaded", "rate_limited", "bad_request"])

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, emulator.base_url], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )

    assert done.stdout == "CallFailed\n"
    assert "attempt 1 failed" in done.stderr


async def test_logs_a_retry(
    emulator: OpenRouterEmulator,
    model_on: ModelOnEmulator,
    photo: EncodedImage,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A retry is a warning in the log that says why, and nothing on stdout."""
    emulator.script(["overloaded"])

    async with model_on() as model:
        await model.generate(request_for(photo))

    [record] = [record for record in caplog.records if record.name.startswith("plushify_adapters.openrouter")]
    assert record.levelname == "WARNING"
    assert "The provider is overloaded" in record.getMessage()
    assert capfd.readouterr().out == ""


def test_keeps_other_hooks() -> None:
    """Only stamina's structlog hook is replaced, and only once."""

    def count(details: RetryDetails) -> None:
        """Stand for a hook of the application."""

    set_on_retry_hooks([StructlogOnRetryHook, count])
    for _ in range(2):
        OpenRouterModel(KEY)

    log_retry, kept = get_on_retry_hooks()
    assert kept is count
    assert log_retry.__module__ == "plushify_adapters.openrouter._retry"
