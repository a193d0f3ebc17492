"""`plushify doctor` on SQLite and a folder."""

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
HEALTHY = {"healthy": True, "errors": 0, "warnings": 0, "disagreeing": 0, "mended": 0}
EMAIL = "you@localhost"

Damage = Callable[..., None]


@pytest.fixture
def generation_id(plushify: Shell, photo: Path, tmp_path: Path) -> str:
    """Make a plushie, and return the id of its generation."""
    generation_id: str = plushify.json("generate", photo, "-o", tmp_path / "out.png")["id"]
    return generation_id


@pytest.fixture
def damage(tmp_path: Path) -> Damage:
    """Return a function that changes the database directly with SQL."""

    def execute(statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(tmp_path / "data" / "plushify.db")) as connection, connection:
            assert connection.execute(statement, parameters).rowcount > 0

    return execute


def orphan(generation_id: str, damage: Damage, tmp_path: Path) -> Path:
    """Erase a generation as a purge does, except for its photo, and return the path of the photo."""
    damage("DELETE FROM generations WHERE id = ?", generation_id.replace("-", ""))
    folder = tmp_path / "data" / "blobs" / "generations" / generation_id
    for name in ("generated", "thumbnail"):
        (folder / name).unlink()
    return folder / "original"


def run_doctor(plushify: Shell, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Run `plushify doctor --json`, and return its exit code and the objects that follow the check of the database."""
    exit_code, out, _ = plushify("doctor", "--json", *arguments)
    first, *rest = map(json.loads, out.splitlines())
    assert first["subject"] == "database"
    return exit_code, rest


def summary(**counts: int) -> dict[str, Any]:
    """Return the last object, with these counts and otherwise zeros."""
    healthy = not (counts.get("errors") or counts.get("disagreeing"))
    return {"type": "summary", **HEALTHY, "healthy": healthy, **counts}


def test_a_healthy_installation(plushify: Shell, generation_id: str) -> None:
    """If there are no findings, the doctor says so and exits with 0."""
    exit_code, out, err = plushify("doctor")
    assert (exit_code, err) == (0, "Comparing balances, ledger, generations and pictures…\n")
    assert out == "ok         database: It has the tables of this version.\nAll agrees.\n"
    assert run_doctor(plushify) == (0, [summary()])


def test_repairs_findings(plushify: Shell, generation_id: str, damage: Damage, tmp_path: Path) -> None:
    """Without `--repair`, findings are listed and nothing changes. With it they are repaired, and do not recur.

    A picture without a row is moved to the trash by an option of its own.
    """
    damage("UPDATE subscriptions SET balance = 100")
    stray = orphan(generation_id, damage, tmp_path)
    for _ in range(2):
        exit_code, out, _ = plushify("doctor")
        assert exit_code == 1
        assert [line.split()[:2] for line in out.splitlines()[1:]] == [
            ["disagrees", "balance"],
            ["disagrees", "stray"],
            ["2", "disagree:"],
        ]
        assert "100, the entries add up to 2" in out
        assert "`--remove-orphaned-blobs` moves old stray pictures to the trash" in out
    assert plushify.json("credits", "show", EMAIL)["balance"] == 100

    exit_code, (swept, balance, blob, end) = run_doctor(plushify, "--repair")
    assert (exit_code, end) == (1, summary(mended=1, disagreeing=1))
    assert swept == {"type": "sweep", "refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}
    assert (balance["disagreement"], balance["repaired"]) == ("balance_differs_from_entries", True)
    assert (blob["disagreement"], blob["repaired"]) == ("blob_without_row", False)
    assert plushify.json("credits", "show", EMAIL)["balance"] == 2
    assert stray.exists()

    exit_code, (blob, end) = run_doctor(plushify, "--remove-orphaned-blobs")
    assert (exit_code, blob["repaired"], end) == (1, False, summary(disagreeing=1))  # it is too young
    assert stray.exists()
    exit_code, (blob, end) = run_doctor(plushify, "--remove-orphaned-blobs", "--older-than", "0d")
    assert (exit_code, blob["repaired"], end) == (0, True, summary(mended=1))
    assert not stray.exists()
    (trashed,) = (tmp_path / "data" / "blobs" / "trash").rglob("original")
    assert trashed.parent.name == generation_id
    assert run_doctor(plushify) == (0, [summary()])


def test_a_missing_blob_cannot_be_repaired(plushify: Shell, generation_id: str, tmp_path: Path) -> None:
    """A missing blob is listed with `--repair` too, and the exit code is 1."""
    key = f"generations/{generation_id}/generated"
    (tmp_path / "data" / "blobs" / key).unlink()
    exit_code, (_, finding, end) = run_doctor(plushify, "--repair")
    assert (exit_code, end) == (1, summary(disagreeing=1))
    assert finding == {
        "type": "finding",
        "disagreement": "blob_missing",
        "subject": key,
        "detail": "its row names it",
        "repaired": False,
    }
    assert plushify("doctor", "--repair")[1].splitlines()[-1] == "1 disagrees: a person has to decide."


def test_an_expired_lease_is_refunded(plushify: Shell, generation_id: str, damage: Damage) -> None:
    """A generation of a dead process is listed. `--repair` sweeps first, which refunds it and settles the finding."""
    damage(
        "UPDATE generations SET status = 'running', lease_until = ?, deadline_at = ?, completed_at = NULL,"
        " generated = NULL, thumbnail = NULL",
        LONG_AGO,
        LONG_AGO,
    )
    damage("UPDATE model_calls SET outcome = 'calling', started_at = ?, ended_at = NULL", LONG_AGO)
    exit_code, (finding, end) = run_doctor(plushify)
    assert (exit_code, finding["disagreement"], finding["subject"]) == (1, "lease_over", generation_id)
    assert end == summary(disagreeing=1)

    exit_code, (swept, end) = run_doctor(plushify, "--repair")
    assert (exit_code, swept["refunded"], end) == (0, 1, summary())
    assert plushify.json("credits", "show", EMAIL)["balance"] == 3
    assert run_doctor(plushify) == (0, [summary()])


def test_a_database_without_tables(plushify: Shell) -> None:
    """If the database is empty, the doctor says what to do, and neither migrates nor compares anything."""
    for _ in range(2):
        exit_code, out, err = plushify("doctor")
        assert (exit_code, err) == (1, "")
        assert out == "error      database: It has no tables yet: run `plushify migrate` first.\n1 error.\n"
    plushify("migrate")
    assert plushify("doctor")[0] == 0


def test_online_with_the_built_in_model(plushify: Shell, generation_id: str, tmp_path: Path) -> None:
    """`--online` checks the storage, leaving no blob in it, and reports that the built-in model is a preview."""
    before = sorted((tmp_path / "data" / "blobs").rglob("*"))
    exit_code, (storage, model, end) = run_doctor(plushify, "--online")
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


def test_online_with_full_storage(plushify: Shell, generation_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage that cannot be written to is an error."""

    async def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FsspecBlobStore, "put", full)
    exit_code, (storage, *_, end) = run_doctor(plushify, "--online")
    assert (exit_code, storage["level"], end) == (1, "error", summary(errors=1))
    assert "No space left on device" in storage["detail"]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenRouterEmulator]:
    """Start an emulator of OpenRouter, and choose a key that it accepts and a model without an early end date."""
    with openrouter_emulator() as emulator:
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_API_KEY", "sk-or-v1-doctor")
        monkeypatch.setenv("PLUSHIFY_IMAGE_MODEL", "emulator/lasting-image")
        yield emulator


def test_online_with_a_provider(plushify: Shell, provider: OpenRouterEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--online` checks the key, its credit, the model and its end date.

    Little credit and a near end date are warnings.
    """
    plushify("migrate")
    exit_code, (_, *checks, end) = run_doctor(plushify, "--online")
    assert (exit_code, end) == (0, summary())
    assert [(check["subject"], check["level"]) for check in checks] == [
        ("key", "ok"),
        ("credit", "ok"),
        ("model", "ok"),
        ("expiration", "ok"),
    ]

    provider.account(limit=10, usage=9.5)
    monkeypatch.setenv("PLUSHIFY_IMAGE_MODEL", "emulator/retiring-image")
    exit_code, (_, _, credit, _, expiration, end) = run_doctor(plushify, "--online")
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
def test_online_with_a_wrong_key_or_model(
    plushify: Shell, provider: OpenRouterEmulator, monkeypatch: pytest.MonkeyPatch, name: str, value: str, subject: str
) -> None:
    """A refused key, an unknown model and an ended model are errors, and the exit code is 1."""
    plushify("migrate")
    monkeypatch.setenv(name, value)
    exit_code, checks = run_doctor(plushify, "--online")
    assert exit_code == 1
    assert [check["subject"] for check in checks if check.get("level") == "error"] == [subject]


def test_online_with_an_empty_account(plushify: Shell, provider: OpenRouterEmulator) -> None:
    """A key without credit is an error."""
    plushify("migrate")
    provider.account(limit=5, usage=5)
    exit_code, out, _ = plushify("doctor", "--online")
    assert exit_code == 1
    assert "error      credit: 0.00 USD are left on the key.\n" in out


def test_needs_no_catalog(plushify: Shell, generation_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken catalog does not stop the doctor."""
    monkeypatch.setenv("PLUSHIFY_CATALOG", "/does/not/exist.toml")
    assert plushify("doctor", "--repair")[0] == 0
