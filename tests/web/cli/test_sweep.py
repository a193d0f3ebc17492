"""`plushify sweep`."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plushify_web.identity.accounts import Accounts
from tests.web.cli.shell import Shell

NOTHING = {"refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}


def test_result_as_json(plushify: Shell) -> None:
    """With `--json`, the result is one JSON object with all counts, which are zero if there is nothing to do."""
    assert plushify.json("sweep") == NOTHING


@pytest.fixture
def pending(plushify: Shell, photo: Path, tmp_path: Path) -> str:
    """Return the id of a generation of a customer that was charged and never dispatched, with an expired lease."""
    generation_id: str = plushify.json("generate", photo, "-o", tmp_path / "out.png")["id"]
    _execute(
        tmp_path,
        "UPDATE generations SET status = 'pending', fence = 0, lease_until = ?, deadline_at = ?, completed_at = NULL,"
        " generated = NULL, thumbnail = NULL, placeholder = NULL",
        _from_now(-1),
        _from_now(3600),
    )
    _execute(tmp_path, "DELETE FROM model_calls")
    return generation_id


def _from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def _execute(tmp_path: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "plushify.db")) as connection, connection:
        connection.execute(statement, parameters)


def _state(tmp_path: Path) -> tuple[object, ...]:
    with closing(sqlite3.connect(tmp_path / "data" / "plushify.db")) as connection:
        calls = connection.execute("SELECT count(*) FROM model_calls").fetchone()
        row: tuple[object, ...] = connection.execute("SELECT status, fence FROM generations").fetchone()
    return (*row, *calls)


@pytest.mark.parametrize("command", [("sweep",), ("doctor", "--repair")])
def test_draws_no_pending_generation(plushify: Shell, pending: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A pending generation is left to the servers until its deadline, and refunded afterwards. It is never drawn."""
    plushify(*command)
    assert _state(tmp_path) == ("pending", 0, 0)
    assert plushify.json("sweep") == NOTHING

    _execute(tmp_path, "UPDATE generations SET deadline_at = ?", _from_now(-1))
    plushify(*command)
    assert _state(tmp_path)[0] == "failed"
    assert _state(tmp_path)[2] == 0
    assert plushify.json("credits", "show", "you@localhost")["balance"] == 3


def test_generate_draws_only_its_own(plushify: Shell, photo: Path, pending: str, tmp_path: Path) -> None:
    """`generate` leaves the pending generations of others unchanged."""
    made = plushify.json("generate", photo, "-o", tmp_path / "own.png", "--email", "me@localhost")["id"]
    with closing(sqlite3.connect(tmp_path / "data" / "plushify.db")) as connection:
        rows = dict(connection.execute("SELECT id, status FROM generations").fetchall())
    assert rows == {pending.replace("-", ""): "pending", made.replace("-", ""): "succeeded"}


def test_a_failed_removal_of_sessions_stops_nothing(plushify: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """If expired sessions cannot be removed, the sweep logs the error and succeeds."""

    async def fail(_: Accounts) -> int:
        raise RuntimeError("no sessions today")

    monkeypatch.setattr(Accounts, "remove_expired_sessions", fail)
    exit_code, out, err = plushify("sweep")
    assert (exit_code, out.startswith("Generations: 0 refunded")) == (0, True)
    assert "no sessions today" in err
