"""The command line, on a data folder of its own, with the felt model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import pyvips

from tests.web.cli.shell import Shell


def test_a_photo_becomes_a_file(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """`generate` writes the picture, says what it did, and charges the local account; the picture has its true size."""
    out = tmp_path / "out.png"
    exit_code, stdout, stderr = plushify("generate", photo, "--style", "kawaii", "-o", out)

    assert (exit_code, stderr) == (0, "Felt preview (built in) is making a plushie…\n")
    width, height = pyvips.Image.new_from_file(str(out)).width, pyvips.Image.new_from_file(str(out)).height
    assert max(width, height) == 512
    assert stdout == (
        f"{out}\n"
        "  style     Kawaii\n"
        f"  size      {width} × {height} px\n"
        "  credits   1 spent, 2 left\n"
        "  drawn by  Felt preview (built in)\n"
    )
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_results_for_programs(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """With `--json` each result is one JSON object on stdout."""
    made = json.loads(plushify("generate", photo, "-o", tmp_path / "out.png", "--json")[1])
    assert (made["style"], made["creditsSpent"], made["balance"]) == ("classic", 1, 2)
    assert made["model"]["preview"] is True

    granted = json.loads(plushify("credits", "grant", "you@localhost", 5, "--reason", "a gift", "--json")[1])
    assert granted == {"email": "you@localhost", "granted": 5, "balance": 7}
    shown = json.loads(plushify("credits", "show", "you@localhost", "--json")[1])
    assert shown["balance"] == 7
    assert [(entry["kind"], entry["amount"]) for entry in shown["entries"]] == [
        ("grant", 5),
        ("consume", -1),
        ("grant", 3),
    ]
    assert json.loads(plushify("sweep", "--json")[1]) == {
        "refunded": 0,
        "erased": 0,
        "tidied": 0,
        "finished": 0,
        "expired": 0,
    }


def test_without_credits_it_says_how_to_get_some(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """When the balance does not cover the price, the message names the command that grants more, and it works."""
    exit_code, stdout, stderr = plushify("generate", photo, "--quality", "ultra", "-o", tmp_path / "out.png")
    assert (exit_code, stdout) == (1, "")
    assert "plushify credits grant you@localhost 10 --reason" in stderr
    assert not (tmp_path / "out.png").exists()

    assert plushify("credits", "grant", "you@localhost", 10, "--reason", "more")[0] == 0
    assert "13 credits" in plushify("credits", "show", "you@localhost")[1]


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
    """What cannot be done is one sentence on stderr and an exit code, never a traceback."""
    text = tmp_path / "notes.jpg"
    text.write_text("just text")
    places = {"photo": photo, "text": text, "out": tmp_path / "out.png"}
    found, stdout, stderr = plushify(*(argument.format(**places) for argument in arguments))

    assert (found, stdout) == (exit_code, "")
    assert message in " ".join(stderr.replace("│", " ").split())
    assert "Traceback" not in stderr


def test_a_bad_setting_stops_the_start(plushify: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is wrong is named, with exit code 2."""
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
def test_what_an_adapter_refuses_is_named(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A value that only the adapter knows to be wrong is named too."""
    monkeypatch.setenv(name, value)
    exit_code, stdout, stderr = plushify("generate", photo, "-o", tmp_path / "out.png")
    assert (exit_code, stdout) == (2, "")
    assert name in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_the_version(plushify: Shell) -> None:
    """`--version` needs no command."""
    exit_code, stdout, _ = plushify("--version")
    assert (exit_code, stdout.split()[0]) == (0, "plushify")


def test_help_loads_nothing_heavy() -> None:
    """What only a command needs is imported by the command, so that `--help` answers at once."""
    shown = "import sys, plushify_web.cli; print(*(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run([sys.executable, "-c", shown], check=True, capture_output=True, text=True).stdout.split()
    assert "typer" in loaded
    assert {"asyncio", "granian", "litestar", "msgspec", "plushify_core", "rich", "sqlalchemy"}.isdisjoint(loaded)
