"""Commands on a database whose schema is that of another version."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plushify_adapters.sql.migrate import Migrations
from tests.browser.server import free_port
from tests.web.cli.shell import Shell

COMMANDS = {
    "generate": ("generate", "PHOTO", "-o", "OUT"),
    "credits grant": ("credits", "grant", "you@localhost", 1, "--reason", "a gift"),
    "credits adjust": ("credits", "adjust", "you@localhost", 1, "--reason", "a gift"),
    "credits show": ("credits", "show", "you@localhost"),
    "costs": ("costs",),
    "sweep": ("sweep",),
    "doctor": ("doctor",),
    "doctor --repair": ("doctor", "--repair"),
}

Sql = Callable[[str], list[Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of the database, in its folder."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "plushify.db"


@pytest.fixture
def sql(file: Path) -> Sql:
    """Return a function that runs one statement on the database."""

    def execute(statement: str) -> list[Any]:
        with closing(sqlite3.connect(file)) as connection, connection:
            return connection.execute(statement).fetchall()

    return execute


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, photo: Path, tmp_path: Path) -> list[object]:
    """Return the arguments of a command that does not migrate."""
    paths = {"PHOTO": photo, "OUT": tmp_path / "out.png"}
    return [paths.get(str(argument), argument) for argument in COMMANDS[request.param]]


def schema(sql: Sql) -> list[Any]:
    """Return everything that a migration would change."""
    return [sql("SELECT sql FROM sqlite_master"), *(sql(f"SELECT * FROM {name}") for name in revision_tables(sql))]


def revision_tables(sql: Sql) -> list[str]:
    """Return the tables that record the revision of the schema."""
    names = {name for (name,) in sql("SELECT name FROM sqlite_master")}
    return [name for name in ("alembic_version", "schema_revision") if name in names]


@pytest.mark.parametrize("by_older_release", [True, False])
def test_only_migrate_and_serve_change_an_older_schema(
    plushify: Shell, command: list[object], file: Path, sql: Sql, by_older_release: bool
) -> None:
    """Every other command leaves an older schema unchanged, says what to run, and works after that."""
    asyncio.run(Migrations(f"sqlite:///{file}").upgrade("0001"))
    if by_older_release:
        sql("DROP TABLE schema_revision")
    before = schema(sql)
    exit_code, out, err = plushify(*command)
    assert (exit_code, schema(sql)) == (1, before)
    assert "run `plushify migrate` first" in out + err
    assert "Traceback" not in err
    assert plushify("migrate") == (0, "", "The database is up to date: it has the tables of this version.\n")
    assert "plushify migrate" not in "".join(map(str, plushify(*command)))


def test_a_newer_schema_can_be_used(
    plushify: Shell, command: list[object], sql: Sql, photo: Path, tmp_path: Path
) -> None:
    """Every command works on a newer schema that names this version as compatible, and leaves it unchanged."""
    plushify("generate", photo, "-o", tmp_path / "first.png")  # creates the account
    sql("UPDATE schema_revision SET version_num = '9999'")
    before = schema(sql)
    exit_code, _, err = plushify(*command)
    assert (exit_code, "migrate" in err) == (0, False)
    assert plushify("migrate")[0] == 0
    assert schema(sql) == before


def test_a_newer_schema_that_cannot_be_used(plushify: Shell, command: list[object], sql: Sql) -> None:
    """On a schema that needs a newer version, every command exits with 1 and says so, `migrate` too."""
    plushify("migrate")
    sql("UPDATE schema_revision SET version_num = '9999'")
    sql("UPDATE alembic_version SET version_num = '9999'")
    before = schema(sql)
    for arguments in (command, ["migrate"]):
        exit_code, out, err = plushify(*arguments)
        assert exit_code == 1
        assert "which this version cannot use: run the newer version" in out + err
        assert "Traceback" not in err
    assert schema(sql) == before


def test_a_server_does_not_start_on_a_schema_that_it_cannot_use(plushify: Shell, sql: Sql) -> None:
    """`serve` exits with 1 before it listens."""
    plushify("migrate")
    sql("UPDATE schema_revision SET version_num = '9999'")
    sql("UPDATE alembic_version SET version_num = '9999'")
    exit_code, _, err = plushify("serve", "--port", free_port())
    assert (exit_code, err) == (
        1,
        "plushify: The database: it has the tables of a newer version, which this version cannot use: run the newer"
        " version.\n",
    )


def test_commands_create_the_tables_of_an_empty_database(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """The first picture on a machine needs one command."""
    assert plushify("generate", photo, "-o", tmp_path / "out.png")[0] == 0


def test_downgrades(plushify: Shell, sql: Sql) -> None:
    """`migrate --downgrade-to` reverts later migrations, and refuses a revision that it cannot go back to."""
    plushify("migrate")
    assert plushify("migrate", "--downgrade-to", "0001") == (0, "", "The database is at revision 0001.\n")
    assert sql("SELECT version_num FROM schema_revision") == [("0001",)]
    exit_code, _, err = plushify("migrate", "--downgrade-to", "nonsense")
    assert (exit_code, err) == (
        1,
        "plushify: The database: it is at revision 0001, which does not follow nonsense.\n",
    )
    assert plushify("migrate")[0] == 0
    assert plushify("doctor")[0] == 0
