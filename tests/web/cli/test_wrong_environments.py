"""Every command in wrong environments: an operator reads one sentence, and never a traceback."""

import asyncio
import importlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import COMPATIBILITY, REVISION_TABLE, Migrations
from plushify_web.cli import app
from tests.adapters.tls_postgres import TlsPostgres
from tests.browser.server import free_port
from tests.web.cli.commands import COMMANDS, assert_one_sentence
from tests.web.cli.shell import Shell

USE_THE_STORAGE = {"serve", "generate", "generate --fetch", "sweep", "doctor"}

USE_THE_CATALOG = {"serve", "generate", "generate --fetch"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Folder and servers that an environment may refer to."""

    folder: Path
    postgres: TlsPostgres


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Wrong environment, and what the commands say about it."""

    variables: Callable[[Surroundings], dict[str, str]]
    message: str
    exit_code: int = 1
    commands: frozenset[str] = frozenset(COMMANDS)


def database(url: str) -> Callable[[Surroundings], dict[str, str]]:
    """Return an environment with this database."""
    return lambda _: {"PLUSHIFY_DATABASE_URL": url}


def setting(name: str, value: str) -> Callable[[Surroundings], dict[str, str]]:
    """Return an environment with this setting."""
    return lambda _: {f"PLUSHIFY_{name}": value}


def file(name: str, content: bytes, variable: str, value: str) -> Callable[[Surroundings], dict[str, str]]:
    """Return an environment whose setting refers to a file with this content as `{}`."""

    def variables(surroundings: Surroundings) -> dict[str, str]:
        path = surroundings.folder / name
        path.write_bytes(content)
        return {variable: value.format(path)}

    return variables


def newer_database(surroundings: Surroundings) -> dict[str, str]:
    """Return an environment whose database was migrated by a newer version."""
    url = f"sqlite:///{surroundings.folder}/newer.db"

    async def migrate() -> None:
        store = SqlStore(url)
        await Migrations(store.engine).upgrade()
        async with store.engine.begin() as connection:
            for table in (REVISION_TABLE, COMPATIBILITY.name):
                await connection.exec_driver_sql(f"UPDATE {table} SET version_num = '9999'")
        await store.aclose()

    asyncio.run(migrate())
    return {"PLUSHIFY_DATABASE_URL": url}


ENVIRONMENTS = {
    "data folder is a file": Wrong(
        variables=file("file", b"", "PLUSHIFY_DATA_DIR", "{}"),
        message="PLUSHIFY_DATA_DIR: cannot use the folder",
        exit_code=2,
    ),
    "data folder below a file": Wrong(
        variables=setting("DATA_DIR", "/dev/null/plushify"), message="/dev/null/plushify: Not a directory", exit_code=2
    ),
    "data folder of nobody": Wrong(
        variables=setting("DATA_DIR", "~nobody-at-all/x"), message="PLUSHIFY_DATA_DIR takes a folder", exit_code=2
    ),
    "no database": Wrong(
        variables=file("text.db", b"just text" * 100, "PLUSHIFY_DATABASE_URL", "sqlite:///{}"),
        message="The database: file is not a database",
    ),
    "database in no folder": Wrong(
        variables=database("sqlite:////no/where/x.db"), message="The database: unable to open database file: /no/where"
    ),
    "database of a newer version": Wrong(
        variables=newer_database,
        message="tables of a newer version",
        commands=frozenset(COMMANDS.keys() - {"doctor"}),  # the doctor reports it as a result
    ),
    "nothing listens": Wrong(
        variables=database("postgresql://ann@127.0.0.1:1/x"), message="The database: Connect call failed ('127.0.0.1'"
    ),
    "unknown host": Wrong(
        variables=database("postgresql://ann@nowhere.invalid/x"), message="The database: a host name cannot be resolved"
    ),
    "wrong password": Wrong(
        variables=lambda surroundings: {"PLUSHIFY_DATABASE_URL": surroundings.postgres.url(password="wrong")},
        message="The database: password authentication failed",
    ),
    "without TLS": Wrong(
        variables=lambda surroundings: {"PLUSHIFY_DATABASE_URL": surroundings.postgres.url("sslmode=disable")},
        message="The database: no pg_hba.conf entry",
    ),
    "untrusted certificate": Wrong(
        variables=lambda surroundings: {"PLUSHIFY_DATABASE_URL": surroundings.postgres.url("sslrootcert=system")},
        message="certificate verify failed",
    ),
    "unusable parameter": Wrong(
        variables=database("postgresql://ann@host/x?pgbouncer=true"),
        message="PLUSHIFY_DATABASE_URL: the database URL has the parameter pgbouncer",
        exit_code=2,
    ),
    "unreadable URL": Wrong(
        variables=database("postgresql://ann@host:port/x"), message="PLUSHIFY_DATABASE_URL: ", exit_code=2
    ),
    "unknown setting": Wrong(
        variables=setting("FREE_CREDIT", "3"), message="did you mean PLUSHIFY_FREE_CREDITS?", exit_code=2
    ),
    "unknown storage": Wrong(
        variables=setting("STORAGE_URL", "nonsense://bucket"),
        message="PLUSHIFY_STORAGE_URL or PLUSHIFY_STORAGE_OPTIONS: Protocol not known: nonsense",
        exit_code=2,
        commands=frozenset(USE_THE_STORAGE),
    ),
    "file URL with a question mark": Wrong(
        variables=setting("STORAGE_URL", "file:///srv/what?"),
        message="write them in a path as %3F",
        exit_code=2,
        commands=frozenset(USE_THE_STORAGE),
    ),
    "no JSON": Wrong(
        variables=setting("STORAGE_OPTIONS", "{"), message="PLUSHIFY_STORAGE_OPTIONS takes a JSON object.", exit_code=2
    ),
    "unknown option of the storage": Wrong(
        variables=lambda _: {"PLUSHIFY_STORAGE_URL": "s3://bucket/x", "PLUSHIFY_STORAGE_OPTIONS": '{"nonsense": 1}'},
        message="The storage: ",
        commands=frozenset({"doctor"}),
    ),
    "storage that is down": Wrong(
        variables=lambda _: {
            "PLUSHIFY_STORAGE_URL": "s3://bucket/x",
            "PLUSHIFY_STORAGE_OPTIONS": '{"endpoint_url": "http://127.0.0.1:1", "key": "a", "secret": "b"}',
        },
        message="The storage: Could not connect to the endpoint URL",
        commands=frozenset({"doctor"}),
    ),
    "catalog is missing": Wrong(
        variables=setting("CATALOG", "/no/where.toml"),
        message="PLUSHIFY_CATALOG takes a TOML file",
        exit_code=2,
        commands=frozenset(USE_THE_CATALOG),
    ),
    "catalog is a folder": Wrong(
        variables=setting("CATALOG", "/"),
        message="PLUSHIFY_CATALOG takes a TOML file",
        exit_code=2,
        commands=frozenset(USE_THE_CATALOG),
    ),
    "catalog is binary": Wrong(
        variables=file("catalog.toml", bytes(range(256)), "PLUSHIFY_CATALOG", "{}"),
        message="PLUSHIFY_CATALOG takes a TOML file",
        exit_code=2,
        commands=frozenset(USE_THE_CATALOG),
    ),
    "catalog is broken": Wrong(
        variables=file("catalog.toml", b"[[styles]\n", "PLUSHIFY_CATALOG", "{}"),
        message="PLUSHIFY_CATALOG takes a TOML file",
        exit_code=2,
        commands=frozenset(USE_THE_CATALOG),
    ),
}

CASES = [(name, command) for name, wrong in ENVIRONMENTS.items() for command in COMMANDS if command in wrong.commands]


def test_every_command_is_driven() -> None:
    """The tables of this module have every command."""

    def names(command: object, prefix: str = "") -> Iterator[str]:
        children = getattr(command, "commands", None)
        if children is None:
            yield prefix
        else:
            for name, child in children.items():
                yield from names(child, f"{prefix} {name}".strip())

    assert {*names(typer.main.get_command(app))} == COMMANDS.keys() - {"generate --fetch"}


@pytest.mark.parametrize(("environment", "command"), CASES)
def test_a_wrong_environment_is_a_sentence(
    plushify: Shell,
    arguments: Callable[[str], list[str]],
    tmp_path: Path,
    tls_postgres: TlsPostgres,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    command: str,
) -> None:
    """Each command exits with 1, or with 2 for a wrong setting, and prints one sentence that says what is wrong."""
    wrong = ENVIRONMENTS[environment]
    plushify("migrate")
    for name, value in wrong.variables(Surroundings(folder=tmp_path, postgres=tls_postgres)).items():
        monkeypatch.setenv(name, value)
    exit_code, stdout, stderr = plushify(*arguments(command))
    assert exit_code == wrong.exit_code
    assert stdout == "" or command == "doctor"  # which prints its checks one by one
    assert_one_sentence(stderr, wrong.message)
    assert not (tmp_path / "out.png").exists()


def test_the_doctor_reports_a_database_of_a_newer_version(
    plushify: Shell, tmp_path: Path, tls_postgres: TlsPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor reports it as an error, and exits with 1."""
    for name, value in newer_database(Surroundings(folder=tmp_path, postgres=tls_postgres)).items():
        monkeypatch.setenv(name, value)
    exit_code, stdout, stderr = plushify("doctor")
    assert (exit_code, stdout.split()[0], stderr) == (1, "error", "")


EXTRAS = {
    "asyncpg": ("PLUSHIFY_DATABASE_URL", "postgresql://ann@host/x", "plushify[postgres]"),
    "s3fs": ("PLUSHIFY_STORAGE_URL", "s3://bucket/x", "plushify[s3]"),
}
"""Setting, value and extra by the module that the setting needs."""


@pytest.mark.parametrize(
    ("module", "command"),
    [*(("asyncpg", command) for command in COMMANDS), *(("s3fs", command) for command in sorted(USE_THE_STORAGE))],
)
def test_a_missing_extra_is_a_sentence(
    plushify: Shell,
    arguments: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    command: str,
) -> None:
    """The message about a setting that needs an extra which is not installed names both."""
    variable, value, extra = EXTRAS[module]
    plushify("migrate")
    monkeypatch.setenv(variable, value)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    importlib.import_module("fsspec.registry")
    monkeypatch.delitem(vars(sys.modules["fsspec.registry"])["_registry"], "s3", raising=False)
    exit_code, stdout, stderr = plushify(*arguments(command))
    assert exit_code == 2
    assert stdout == "" or command == "doctor"
    assert_one_sentence(stderr, extra)
    assert variable in stderr


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("ALL_PROXY", "socks5://proxy:1080", None),  # accepted if httpx[socks] is installed
        ("HTTPS_PROXY", "proxy:8080", True),
        ("HTTPS_PROXY", "", True),
        ("HTTPS_PROXY", "gopher://proxy", False),
        ("HTTPS_PROXY", "::1", False),
        ("HTTP_PROXY", "http://ann:secret@proxy:port", False),
        ("ALL_PROXY", "http://[::1]:8080", True),
        ("NO_PROXY", "*", True),
        ("NO_PROXY", "", True),
        ("NO_PROXY", "localhost,127.0.0.1,::1,.corp.example,10.0.0.0/8,,", True),
        ("NO_PROXY", "[::1]", False),
        ("NO_PROXY", "[fe80::1%eth0]:80", False),
        ("no_proxy", "[::1]:8080", False),
    ],
)
@pytest.mark.parametrize("command", ["doctor", "serve"])
def test_a_proxy_that_cannot_be_used_is_a_sentence(
    plushify: Shell,
    arguments: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    variable: str,
    value: str,
    accepted: bool | None,
) -> None:
    """A proxy variable that the HTTP client cannot read is named, without its value."""
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("PLUSHIFY_OPENROUTER_API_KEY", "sk-or-v1-0123")
    monkeypatch.setenv("PLUSHIFY_OPENROUTER_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    plushify("migrate")
    if command == "serve" and accepted is not False:
        return  # it would serve
    online = ["--online"] if command == "doctor" else []
    exit_code, _, stderr = plushify(*arguments(command), *online)
    if accepted is None:
        accepted = exit_code == 0
    assert exit_code == (0 if accepted else 2)
    assert "Traceback" not in stderr
    if not accepted:
        assert_one_sentence(stderr, f"{variable} cannot be applied")
        assert "secret" not in stderr


@pytest.mark.parametrize(
    ("host", "message"), [("nowhere.invalid", "Name or service not known"), ("192.0.2.1", "assign"), ("a..b", "label")]
)
def test_serve_at_a_wrong_host(plushify: Shell, host: str, message: str) -> None:
    """A host that is unknown, or that is not this machine, is a sentence."""
    exit_code, stdout, stderr = plushify("serve", "--host", host, "--port", free_port())
    assert (exit_code, stdout) == (1, "")
    assert_one_sentence(stderr, f"Cannot listen at {host}:")
    assert message in stderr


def test_serve_at_a_port_in_use(plushify: Shell) -> None:
    """A port in use is a sentence, for a host name too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        exit_code, stdout, stderr = plushify("serve", "--host", "localhost", "--port", port)
    assert (exit_code, stdout) == (1, "")
    assert_one_sentence(stderr, f"Cannot listen at localhost:{port}: Address already in use.")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("command", ["generate", "sweep", "doctor"])
def test_a_storage_that_fails_is_a_sentence(
    plushify: Shell,
    arguments: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """A folder that cannot be written is named in the log, without a traceback, and nothing is charged."""
    monkeypatch.setenv("PLUSHIFY_STORAGE_URL", "file:///dev/null/pictures")
    exit_code, _, stderr = plushify(*arguments(command))
    assert "Traceback" not in stderr
    assert exit_code == (0 if command == "sweep" else 1)  # there is nothing to sweep
    if command == "generate":
        assert "cannot store the original: The storage: Not a directory: /dev/null/pictures" in stderr
        assert plushify.json("credits", "show", "you@localhost")["balance"] == 2


@pytest.mark.usefixtures("account")
def test_text_that_is_not_utf8(plushify: Shell) -> None:
    """An argument that is not UTF-8 is refused with a sentence."""
    exit_code, stdout, stderr = plushify("credits", "grant", "you@localhost", 1, "--reason", "\udcff")
    assert (exit_code, stdout) == (2, "")
    assert_one_sentence(stderr, "not UTF-8")


@pytest.mark.usefixtures("account")
def test_a_user_id_without_a_name(plushify: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the operating system has no name for the user, the statement shows the user id."""
    import pwd

    def no_entry(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    assert plushify("credits", "grant", "you@localhost", 1, "--reason", "more")[0] == 0
    assert plushify.json("credits", "show", "you@localhost")["entries"][0]["actor"] == (
        f"operator with the user id {os.getuid()}"
    )
