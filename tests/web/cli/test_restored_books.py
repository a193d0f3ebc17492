"""Restored backups and wrong databases: no command loses a picture that the database does not know."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.web.cli.shell import Shell

REMOVE_ANY = ("--remove-orphaned-blobs", "--older-than", "0d", "--yes")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the data folder."""
    return tmp_path / "data"


def make(plushify: Shell, photo: Path, tmp_path: Path) -> str:
    """Make a plushie, and return the id of its generation."""
    generation_id: str = plushify.json("generate", photo, "-o", tmp_path / "out.png")["id"]
    return generation_id


def back_up(data: Path, copy: Path) -> None:
    """Copy the database as docs/database.md describes it."""
    with closing(sqlite3.connect(data / "plushify.db")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def restore(data: Path, copy: Path) -> None:
    """Replace the database by the copy."""
    for file in data.glob("plushify.db*"):
        file.unlink()
    shutil.copy(copy, data / "plushify.db")


def pictures(data: Path) -> dict[str, bytes]:
    """Return the bytes of all pictures by their keys."""
    root = data / "blobs" / "generations"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", [("--repair",), ("--repair", *REMOVE_ANY), REMOVE_ANY])
def test_a_restored_backup_loses_no_picture(
    plushify: Shell, photo: Path, tmp_path: Path, data: Path, options: tuple[str, ...]
) -> None:
    """The doctor reports each picture that is newer than the restored database, exits with 1, and removes none."""
    make(plushify, photo, tmp_path)
    back_up(data, tmp_path / "backup.db")
    newer = {make(plushify, photo, tmp_path) for _ in range(2)}
    restore(data, tmp_path / "backup.db")
    before = pictures(data)

    exit_code, out, _ = plushify("doctor", "--json", *options)

    findings = [line for line in map(json.loads, out.splitlines()) if line["type"] == "finding"]
    assert exit_code == 1
    assert {(found["disagreement"], found["subject"]) for found in findings} == {("row_lost", made) for made in newer}
    assert all("the database looks older than the storage: a restored backup?" in found["detail"] for found in findings)
    assert pictures(data) == before
    assert len(before) == 9


def test_a_removal_is_refused_while_rows_are_lost(plushify: Shell, photo: Path, tmp_path: Path, data: Path) -> None:
    """Without `--yes`, the doctor removes nothing from a storage that is newer than the database, and says why."""
    erased = make(plushify, photo, tmp_path)
    with closing(sqlite3.connect(data / "plushify.db")) as connection, connection:
        connection.execute("DELETE FROM generations")
    for name in ("generated", "thumbnail"):
        (data / "blobs" / "generations" / erased / name).unlink()
    back_up(data, tmp_path / "backup.db")
    make(plushify, photo, tmp_path)
    restore(data, tmp_path / "backup.db")
    before = pictures(data)

    exit_code, out, _ = plushify("doctor", "--remove-orphaned-blobs", "--older-than", "0d")

    assert exit_code == 1
    assert "orphaned blobs: Nothing was removed, because 1 of 4 blobs would be removed, and 1 row of" in out
    assert "repeat the command with --yes" in out
    assert pictures(data) == before


def test_another_database_is_refused(
    plushify: Shell, photo: Path, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command that uses the storage accepts another database on it. The message names both ways out."""
    make(plushify, photo, tmp_path)
    before = pictures(data)
    monkeypatch.setenv("PLUSHIFY_DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    plushify("migrate")

    for command in (
        ("serve", "--port", "1"),
        ("sweep",),
        ("generate", photo, "-o", tmp_path / "other.png"),
        ("doctor", "--repair", *REMOVE_ANY),
    ):
        exit_code, out, err = plushify(*command)
        said = out + err
        assert exit_code == 1, command
        assert "installation" in said
        assert "Point PLUSHIFY_DATABASE_URL to the database of this storage" in said
        assert "plushify doctor --adopt-storage" in said
        assert "Traceback" not in said
    assert pictures(data) == before

    exit_code, out, _ = plushify("doctor", "--adopt-storage", "--repair", *REMOVE_ANY)
    assert "ok         installation: The database and the storage belong to the installation" in out
    assert exit_code == 1  # the rows of the pictures are still lost
    assert pictures(data) == before
    assert plushify("sweep")[0] == 0


def test_an_empty_storage_is_refused(
    plushify: Shell, photo: Path, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that has used another storage is refused on an empty one, which stays empty."""
    make(plushify, photo, tmp_path)
    empty = tmp_path / "empty"
    monkeypatch.setenv("PLUSHIFY_STORAGE_URL", empty.as_uri())

    exit_code, _, err = plushify("sweep")

    assert exit_code == 1
    assert "Point PLUSHIFY_STORAGE_URL to the storage of this database." in err
    assert not empty.exists()


def test_an_older_installation_is_adopted(plushify: Shell, photo: Path, tmp_path: Path, data: Path) -> None:
    """An installation without an id, as older versions made it, gets one at its first use. A look changes nothing."""
    make(plushify, photo, tmp_path)
    with closing(sqlite3.connect(data / "plushify.db")) as connection, connection:
        connection.execute("DELETE FROM installation")
    mark = data / "blobs" / "installation"
    mark.unlink()

    assert plushify("doctor")[0] == 0
    assert not mark.exists()
    assert plushify("sweep")[0] == 0
    assert mark.exists()
    assert plushify("doctor")[0] == 0


@pytest.mark.parametrize("age", ["7", "-1d", "soon", "7 d"])
def test_refuses_a_wrong_age(plushify: Shell, age: str) -> None:
    """An age without a unit is a wrong argument, and the message shows a right one."""
    exit_code, _, err = plushify("doctor", f"--older-than={age}")
    assert exit_code == 2
    assert "7d or 12h" in " ".join(err.replace("│", " ").split())
