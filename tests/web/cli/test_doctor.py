"""`plushify doctor`, on SQLite and a folder."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plushify_adapters.blobs import FsspecBlobStore
from tests.emulators.process import OpenRouterEmulator, openrouter_emulator
from tests.web.cli.shell import Shell

LONG_AGO = "2026-01-01 00:00:00.000000"
SOUND = {"healthy": True, "errors": 0, "warnings": 0, "disagreeing": 0, "mended": 0}
ME = "you@localhost"

Statement = Callable[..., None]


@pytest.fixture
def house(plushify: Shell, photo: Path, tmp_path: Path) -> str:
    """A house in order, with one generation: its id."""
    made: str = plushify.json("generate", photo, "-o", tmp_path / "out.png")["id"]
    return made


@pytest.fixture
def damage(tmp_path: Path) -> Statement:
    """Executes SQL behind the back of everybody."""

    def execute(statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(tmp_path / "data" / "plushify.db")) as connection, connection:
            assert connection.execute(statement, parameters).rowcount > 0

    return execute


def lines(plushify: Shell, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what was printed for programs, but for the check of the database."""
    exit_code, out, _ = plushify("doctor", "--json", *arguments)
    first, *rest = map(json.loads, out.splitlines())
    assert first["subject"] == "database"
    return exit_code, rest


def summary(**counts: int) -> dict[str, Any]:
    """The last line."""
    healthy = not (counts.get("errors") or counts.get("disagreeing"))
    return {"type": "summary", **SOUND, "healthy": healthy, **counts}


def test_a_house_in_order(plushify: Shell, house: str) -> None:
    """When all agrees, the doctor says so, and exits with 0."""
    exit_code, out, err = plushify("doctor")
    assert (exit_code, err) == (0, "Comparing balances, ledger, generations and pictures…\n")
    assert out == "ok         database: It has the tables of this version.\nAll agrees.\n"
    assert lines(plushify) == (0, [summary()])


def test_what_can_be_mended_is(plushify: Shell, house: str, damage: Statement, tmp_path: Path) -> None:
    """A dry run lists what disagrees and changes nothing; `--repair` mends it and says so; then all agrees."""
    damage("UPDATE subscriptions SET balance = 100")
    stray = tmp_path / "data" / "blobs" / "generations" / "01a2055c-6679-7778-8435-66eb79f2a25b" / "original"
    stray.parent.mkdir()
    stray.write_bytes(b"nobody's")
    for _ in range(2):
        exit_code, out, _ = plushify("doctor")
        assert exit_code == 1
        assert [line.split()[:2] for line in out.splitlines()[1:]] == [
            ["disagrees", "balance"],
            ["disagrees", "stray"],
            ["2", "disagree:"],
        ]
        assert "100, the entries add up to 2" in out
    assert plushify.json("credits", "show", ME)["balance"] == 100

    exit_code, (swept, balance, blob, end) = lines(plushify, "--repair")
    assert (exit_code, end) == (0, summary(mended=2))
    assert swept == {"type": "sweep", "refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}
    assert (balance["disagreement"], balance["repaired"]) == ("balance_differs_from_entries", True)
    assert (blob["disagreement"], blob["repaired"]) == ("blob_without_row", True)
    assert plushify.json("credits", "show", ME)["balance"] == 2
    assert not stray.exists()
    assert lines(plushify) == (0, [summary()])


def test_what_only_a_person_can_decide(plushify: Shell, house: str, tmp_path: Path) -> None:
    """A picture that is gone is listed, by `--repair` too, and the exit code stays 1."""
    key = f"generations/{house}/generated"
    (tmp_path / "data" / "blobs" / key).unlink()
    exit_code, (_, finding, end) = lines(plushify, "--repair")
    assert (exit_code, end) == (1, summary(disagreeing=1))
    assert finding == {
        "type": "finding",
        "disagreement": "blob_missing",
        "subject": key,
        "detail": "its row names it",
        "repaired": False,
    }
    assert plushify("doctor", "--repair")[1].splitlines()[-1] == "1 disagrees: a person has to decide."


def test_a_lease_that_is_over(plushify: Shell, house: str, damage: Statement) -> None:
    """What a dead process left running is listed; `--repair` sweeps first: it is refunded, and all agrees."""
    damage(
        "UPDATE generations SET status = 'running', lease_until = ?, deadline_at = ?, completed_at = NULL,"
        " generated = NULL, thumbnail = NULL",
        LONG_AGO,
        LONG_AGO,
    )
    damage("UPDATE model_calls SET outcome = 'calling', started_at = ?, ended_at = NULL", LONG_AGO)
    exit_code, (finding, end) = lines(plushify)
    assert (exit_code, finding["disagreement"], finding["subject"]) == (1, "lease_over", house)
    assert end == summary(disagreeing=1)

    exit_code, (swept, end) = lines(plushify, "--repair")
    assert (exit_code, swept["refunded"], end) == (0, 1, summary())
    assert plushify.json("credits", "show", ME)["balance"] == 3
    assert lines(plushify) == (0, [summary()])


def test_a_database_of_another_version(plushify: Shell) -> None:
    """Where the tables are others, the doctor says what to do, migrates nothing, and compares nothing."""
    for _ in range(2):
        exit_code, out, err = plushify("doctor")
        assert (exit_code, err) == (1, "")
        assert out == (
            "error      database: It does not have the tables of this version: run `plushify migrate`.\n1 error.\n"
        )
    plushify("migrate")
    assert plushify("doctor")[0] == 0


def test_online_without_a_provider(plushify: Shell, house: str, tmp_path: Path) -> None:
    """The built-in preview says that it is one; the storage is tried, and nothing stays behind."""
    before = sorted((tmp_path / "data" / "blobs").rglob("*"))
    exit_code, (storage, model, end) = lines(plushify, "--online")
    assert (exit_code, end) == (0, summary())
    assert storage == {
        "type": "check",
        "level": "ok",
        "subject": "storage",
        "detail": "A blob was written, read and deleted.",
    }
    assert (model["level"], model["subject"]) == ("ok", "model")
    assert "preview" in model["detail"]
    assert sorted((tmp_path / "data" / "blobs").rglob("*")) == before


def test_online_with_a_storage_that_is_full(plushify: Shell, house: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that cannot be written to is an error."""

    async def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FsspecBlobStore, "put", full)
    exit_code, (storage, *_, end) = lines(plushify, "--online")
    assert (exit_code, storage["level"], end) == (1, "error", summary(errors=1))
    assert "No space left on device" in storage["detail"]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenRouterEmulator]:
    """OpenRouter, with a key that it accepts, and a model that does not end soon."""
    with openrouter_emulator() as emulator:
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_API_KEY", "sk-or-v1-doctor")
        monkeypatch.setenv("PLUSHIFY_IMAGE_MODEL", "emulator/lasting-image")
        yield emulator


def test_online_with_a_provider(plushify: Shell, provider: OpenRouterEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is asked about the key, its credit, the model and its last day; what is for soon is a warning."""
    plushify("migrate")
    exit_code, (_, *checks, end) = lines(plushify, "--online")
    assert (exit_code, end) == (0, summary())
    assert [(check["subject"], check["level"]) for check in checks] == [
        ("key", "ok"),
        ("credit", "ok"),
        ("model", "ok"),
        ("expiration", "ok"),
    ]

    provider.account(limit=10, usage=9.5)
    monkeypatch.setenv("PLUSHIFY_IMAGE_MODEL", "emulator/retiring-image")
    exit_code, (_, _, credit, _, expiration, end) = lines(plushify, "--online")
    assert (exit_code, credit["level"], expiration["level"]) == (0, "warning", "warning")
    assert end == summary(warnings=2)
    assert plushify("doctor", "--online")[1].splitlines()[-1] == "2 warnings."


@pytest.mark.parametrize(
    ("name", "value", "subject"),
    [
        ("PLUSHIFY_OPENROUTER_API_KEY", "not-a-key", "key"),
        ("PLUSHIFY_IMAGE_MODEL", "maker/no-such-model", "model"),
        ("PLUSHIFY_IMAGE_MODEL", "emulator/retired-image", "expiration"),
    ],
)
def test_online_with_a_provider_that_will_not_draw(
    plushify: Shell, provider: OpenRouterEmulator, monkeypatch: pytest.MonkeyPatch, name: str, value: str, subject: str
) -> None:
    """A key that is refused, or a model that is gone, is an error, and the exit code 1."""
    plushify("migrate")
    monkeypatch.setenv(name, value)
    exit_code, checks = lines(plushify, "--online")
    assert exit_code == 1
    assert [check["subject"] for check in checks if check.get("level") == "error"] == [subject]


def test_online_with_an_empty_account(plushify: Shell, provider: OpenRouterEmulator) -> None:
    """Without credit no picture can be made: an error, in words."""
    plushify("migrate")
    provider.account(limit=5, usage=5)
    exit_code, out, _ = plushify("doctor", "--online")
    assert exit_code == 1
    assert "error      credit: 0.00 USD are left on the key.\n" in out
