"""URLs of databases, as people and hosting services write them."""

import getpass
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.engine import create_engine
from plushify_adapters.sql.migrate import Migrations
from tests.adapters.tls_postgres import TlsPostgres

pytestmark = pytest.mark.anyio

STRANGE_NAMES = ["with space", "ümlaut", "what?", "a#b", "100%", "a%20b", "%3F", "a&b=c", "x:y@z", "~tilde"]


def names_in(folder: Path) -> list[str]:
    """Return the names of what is in the folder."""
    return [path.name for path in folder.iterdir()]


async def asked(store: SqlStore, *questions: str) -> list[object]:
    """Return the answers of the database, and close the store."""
    try:
        async with store.engine.begin() as connection:
            return [(await connection.execute(text(question))).scalar_one() for question in questions]
    finally:
        await store.aclose()


@pytest.mark.parametrize("name", STRANGE_NAMES)
async def test_a_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    """A SQLite file whose path is given as a path is exactly there, whatever characters the path has."""
    file = tmp_path / name / "plushify.db"
    file.parent.mkdir()
    store = SqlStore(URL.create("sqlite", database=str(file)))
    await Migrations(store.engine).upgrade()
    again = SqlStore(store.engine.url)
    assert await asked(again, "SELECT count(*) FROM generations") == [0]
    await store.aclose()
    assert names_in(tmp_path) == [name]
    assert file.is_file()


async def test_a_sqlite_url_is_percent_decoded(tmp_path: Path) -> None:
    """In a URL, a space, a question mark and a percent sign are percent-encoded."""
    await asked(SqlStore(f"sqlite:///{tmp_path}/a%20b%3F%25.db"), "SELECT 1")
    assert names_in(tmp_path) == ["a b?%.db"]


@pytest.mark.parametrize("url", ["sqlite:///~/plushify.db", "sqlite:////~/plushify.db"])
async def test_a_sqlite_url_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """`~` is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    await asked(SqlStore(url), "SELECT 1")
    assert (tmp_path / "plushify.db").is_file()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:////srv/what?/x.db", "question mark in the path as %3F"),
        ("sqlite:///x.db?timeout=5", "question mark in the path as %3F"),
        ("sqlite://srv/x.db", "two slashes"),
        ("sqlite:///~nobody-at-all/x.db", "home folder"),
        ("postgresql://host:port/name", "cannot be read"),
        ("postgresql+psycopg://host/name", "names the driver psycopg"),
        ("postgresql://host/name?pgbouncer=true", "has the parameter pgbouncer, which Plushify cannot apply"),
        ("postgresql://host/name?sslmode=on", "sslmode of the database URL takes disable, allow, prefer, require"),
        ("postgresql://host/name?target_session_attrs=any-old", "takes any, read-write"),
        ("postgresql://host/name?connect_timeout=soon", "connect_timeout of the database URL takes a number"),
        ("postgresql://host/name?connect_timeout=-1", "connect_timeout of the database URL takes a number"),
        ("postgresql://host/name?gssencmode=require", "gssencmode of the database URL takes disable, prefer"),
        ("postgresql://host/name?sslrootcert=/no/where.pem", "sslrootcert of the database URL names a file that"),
        ("postgresql://host/name?sslmode=require&sslrootcert=system", "takes sslmode=verify-full"),
        ("mariadb://host/name", "names mariadb"),
        ("no URL", "cannot be read"),
    ],
)
def test_refuses_what_it_cannot_apply(url: str, sentence: str) -> None:
    """A URL that cannot be applied as it is raises a ValueError with a sentence without the password."""
    with pytest.raises(ValueError, match=r"database URL|SQLite database") as raised:
        create_engine(url)
    assert sentence in str(raised.value)
    assert "cret" not in str(raised.value)


async def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL without a user is refused where the operating system has no name for the user of the process."""

    def no_name() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", no_name)
    with pytest.raises(ValueError, match="names no user"):
        create_engine("postgresql://host/name")
    for url in ("postgresql://ann@host/name", "postgresql://host/name?user=ann"):
        await create_engine(url).dispose()


async def test_a_url_of_a_hosting_service(tls_postgres: TlsPostgres) -> None:
    """The parameters that hosting services write into their URLs are applied, beside the limits of the store."""
    parameters = (
        "sslmode=require&channel_binding=require&application_name=shop%20window&connect_timeout=10"
        "&options=-c%20work_mem%3D7MB&target_session_attrs=read-write&keepalives_idle=30&sslnegotiation=postgres"
    )
    store = SqlStore(tls_postgres.url(parameters), busy_timeout_s=1.5)
    questions = ["SHOW application_name", "SHOW work_mem", "SHOW lock_timeout", "SELECT current_user"]
    assert await asked(store, *questions) == ["shop window", "7MB", "1500ms", "shop"]


async def test_the_first_usable_of_several_hosts(tls_postgres: TlsPostgres) -> None:
    """Of several hosts, the first that answers and has the asked role is used."""
    url = tls_postgres.url("target_session_attrs=primary", host="localhost:1,localhost")
    assert await asked(SqlStore(url), "SELECT pg_is_in_recovery()") == [False]


async def test_a_url_survives_in_the_engine(tls_postgres: TlsPostgres) -> None:
    """A second store from the URL of an engine connects as the first one."""
    first = SqlStore(tls_postgres.url(f"sslmode=verify-full&sslrootcert={tls_postgres.root_certificate}"))
    second = SqlStore(first.engine.url)
    assert await asked(second, "SELECT current_user") == ["shop"]
    await first.aclose()


@pytest.mark.parametrize("driver", ["postgres", "postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize(
    ("parameters", "host"),
    [
        ("", "localhost"),
        ("sslmode=allow", "localhost"),
        ("sslmode=prefer", "localhost"),
        ("sslmode=require", "127.0.0.1"),
        ("ssl=require", "localhost"),
        ("sslmode=require&sslrootcert={root}", "127.0.0.1"),
        ("sslmode=verify-ca&sslrootcert={root}", "127.0.0.1"),
        ("sslmode=verify-full&sslrootcert={root}", "localhost"),
    ],
)
async def test_connects_with_tls(tls_postgres: TlsPostgres, driver: str, parameters: str, host: str) -> None:
    """Each mode with TLS connects to a server that it trusts."""
    url = tls_postgres.url(parameters.format(root=tls_postgres.root_certificate), host=host)
    before = tls_postgres.encrypted
    assert await asked(SqlStore(url.replace("postgres", driver, 1)), "SELECT current_user") == ["shop"]
    assert tls_postgres.encrypted == before + 1


@pytest.mark.parametrize(
    ("parameters", "host", "error"),
    [
        ("sslmode=disable", "localhost", "no pg_hba.conf entry"),
        ("sslmode=require&sslrootcert={other}", "localhost", "certificate verify failed"),
        ("sslmode=verify-ca&sslrootcert={other}", "localhost", "certificate verify failed"),
        ("sslmode=verify-full&sslrootcert={root}", "127.0.0.1", "IP address mismatch"),
        ("sslrootcert=system", "localhost", "certificate verify failed"),
    ],
)
async def test_refuses_a_server_that_it_does_not_trust(
    tls_postgres: TlsPostgres, parameters: str, host: str, error: str
) -> None:
    """A wrong certificate authority, or a certificate of another host, is refused by the modes that check it."""
    files = {"root": tls_postgres.root_certificate, "other": tls_postgres.other_certificate}
    with pytest.raises((DBAPIError, OSError), match=error):
        await asked(SqlStore(tls_postgres.url(parameters.format(**files), host=host)), "SELECT 1")


async def test_trusts_the_authorities_of_the_system(tls_postgres: TlsPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sslrootcert=system` trusts the certificate authorities of the operating system, and checks the host name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_postgres.root_certificate))
    url = tls_postgres.url("sslmode=verify-full&sslrootcert=system")
    assert await asked(SqlStore(url), "SELECT current_user") == ["shop"]
    with pytest.raises(OSError, match="IP address mismatch"):
        await asked(SqlStore(tls_postgres.url("sslrootcert=system", host="127.0.0.1")), "SELECT 1")
