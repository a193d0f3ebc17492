"""Command line as a whole: version, help and error messages."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.web.cli.shell import Shell


def test_prints_the_version(plushify: Shell) -> None:
    """`--version` works without a command."""
    exit_code, stdout, _ = plushify("--version")
    assert (exit_code, stdout.split()[0]) == (0, "plushify")


def test_help_imports_nothing_slow() -> None:
    """Importing the command line imports none of the packages that commands need, so that `--help` responds at once."""
    code = "import sys, plushify_web.cli; print(*(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "typer" in loaded
    assert {"asyncio", "granian", "litestar", "msgspec", "plushify_core", "rich", "sqlalchemy"}.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("generate", "{photo}", "--style", "baroque", "-o", "{out}"), 1, "not in the catalog"),
        (("generate", "{text}", "-o", "{out}"), 1, "not a photo we can read"),
        (("generate", "{photo}", "-o", "{out}/no/where.png"), 1, "no folder"),
        (("generate", "nowhere.jpg", "-o", "{out}"), 2, "does not exist"),
        (("generate", "{photo}", "-o", "{out}", "--email", "nobody"), 1, "email address"),
        (("credits", "show", "nobody@localhost"), 1, "no account nobody@localhost"),
        (("credits", "grant", "nobody@localhost", "0", "--reason", "x"), 2, "greater than or equal to 1"),
        (("dance",), 2, "No such command"),
    ],
)
def test_errors_are_sentences(
    plushify: Shell, photo: Path, tmp_path: Path, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    """An expected error is a sentence on stderr and an exit code, without a traceback."""
    text = tmp_path / "notes.jpg"
    text.write_text("just text")
    paths = {"photo": photo, "text": text, "out": tmp_path / "out.png"}
    found, stdout, stderr = plushify(*(argument.format(**paths) for argument in arguments))

    assert (found, stdout) == (exit_code, "")
    assert message in " ".join(stderr.replace("│", " ").split())
    assert "Traceback" not in stderr


def test_refuses_a_wrong_setting(plushify: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong setting is named on stderr, and the exit code is 2."""
    monkeypatch.setenv("PLUSHIFY_FREE_CREDITS", "many")
    assert plushify("migrate") == (2, "", "plushify: PLUSHIFY_FREE_CREDITS takes a whole number, 0 to 1000000.\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLUSHIFY_DATABASE_URL", "sqlite:///:memory:"),
        ("PLUSHIFY_STORAGE_URL", "nonsense://bucket"),
        ("PLUSHIFY_STORAGE_OPTIONS", "[1]"),
    ],
)
def test_refuses_a_setting_that_its_adapter_refuses(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A setting that only its adapter can validate is named too, and the exit code is 2."""
    monkeypatch.setenv(name, value)
    exit_code, stdout, stderr = plushify("generate", photo, "-o", tmp_path / "out.png")
    assert (exit_code, stdout) == (2, "")
    assert name in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_a_database_error_is_a_sentence(plushify: Shell, tmp_path: Path) -> None:
    """An error of the database is a sentence with the message of its driver, and the exit code is 1."""
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "plushify.db")) as connection:
        connection.execute("CREATE TABLE generations (id TEXT)")
    assert plushify("migrate") == (1, "", "plushify: The database: table generations already exists.\n")
