"""URLs of databases, as people and hosting services write them.

A PostgreSQL URL may have the parameters of libpq, the client library of PostgreSQL
(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS). asyncpg knows most of them, but only
as parts of a DSN, while SQLAlchemy passes each as an argument. docs/database.md lists what happens to each.
"""

import getpass
import os
import re
import ssl
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

DEFAULT_PORT = 5432

_VALUES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "ssl": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer"),
    "load_balance_hosts": ("disable",),
    "client_encoding": ("auto", "utf8", "UTF8", "utf-8", "UTF-8"),
}
"""Allowed values, where not every value is allowed."""

_NUMBERS: dict[str, Callable[[str], float]] = {
    "connect_timeout": float,
    "timeout": float,
    "command_timeout": float,
    "port": int,
    "statement_cache_size": int,
    "prepared_statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
}

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile", "servicefile")

_ARGUMENTS = {
    "host",
    "user",
    "password",
    "database",
    "passfile",
    "service",
    "servicefile",
    "ssl",
    "krbsrvname",
    "gsslib",
}
"""Parameters that are arguments of `asyncpg.connect` too, beside the numbers."""

_IN_DSN = {
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "target_session_attrs",
}
"""Parameters that asyncpg takes only in a DSN."""

_FOR_THE_SERVER = ("fallback_application_name", "application_name", "options")
"""Parameters that the server gets. The second replaces the first."""

_WITHOUT_EFFECT = {
    "channel_binding",
    "client_encoding",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
}
"""Parameters that asyncpg does not know, and without which Plushify works the same."""

_KNOWN = {*_NUMBERS, *_FILES, *_ARGUMENTS, *_IN_DSN, *_FOR_THE_SERVER, *_WITHOUT_EFFECT, "dbname"}

_SEVERAL_HOSTS = re.compile(r"(?P<head>[\w+]+://(?:[^@/?]*@)?)(?P<hosts>[^@/?]*,[^@/?]*)(?P<tail>.*)", re.DOTALL)


def parse_url(text: str | URL) -> URL:
    """Return the URL with the driver that Plushify uses.

    Args:
        text: the URL as a person wrote it, with percent-encoding; or a `URL`, whose parts are taken as they are.

    Raises:
        ValueError: the URL cannot be parsed, names another database, or has a parameter that Plushify cannot apply. The
            message contains no value of the URL that could be a secret.
    """
    url = text if isinstance(text, URL) else _parse(text)
    name, _, driver = url.drivername.partition("+")
    backend = "postgresql" if name == "postgres" else name
    if backend not in DRIVERS:
        raise ValueError(f"the database URL names {backend}: Plushify knows {' and '.join(DRIVERS)}")
    if driver and f"{backend}+{driver}" != DRIVERS[backend]:
        raise ValueError(f"the database URL names the driver {driver}: leave it out")
    url = url.set(drivername=DRIVERS[backend])
    if backend == "sqlite":
        return url if isinstance(text, URL) else _sqlite(url, has_parameters="?" in text)
    _check_parameters(url)
    return url


def translate_parameters(_dialect: Any, _record: Any, _arguments: Any, parameters: MutableMapping[str, Any]) -> None:
    """Replace parameters of libpq by arguments of `asyncpg.connect`. This is a listener of the event `do_connect`."""
    given = {name: parameters.pop(name) for name in _KNOWN - _ARGUMENTS if isinstance(parameters.get(name), str)}
    for name, convert in _NUMBERS.items():
        if name in given:
            parameters[name] = convert(given[name])
    connect_timeout_s = parameters.pop("connect_timeout", 0)
    if connect_timeout_s > 0:  # 0 means no limit to libpq; here it means the default, which is a limit
        parameters["timeout"] = connect_timeout_s
    if "dbname" in given:
        parameters["database"] = given["dbname"]
    for name in _FILES:
        if name in given:
            given[name] = _expanded(given[name])
        elif name in _ARGUMENTS and isinstance(parameters.get(name), str):
            parameters[name] = _expanded(parameters[name])
    for_the_server = {name.removeprefix("fallback_"): given[name] for name in _FOR_THE_SERVER if given.get(name)}
    if for_the_server:
        parameters["server_settings"] = {**for_the_server, **parameters.get("server_settings", {})}
    if given.get("sslrootcert") == "system":
        parameters["ssl"] = _system_tls(given)
        given.pop("sslmode", None)
    dsn = {name: given[name] for name in sorted(_IN_DSN) if given.get(name)}
    if dsn:
        parameters["dsn"] = f"postgresql://?{urlencode(dsn)}"


def _parse(text: str) -> URL:
    hosts: tuple[str, ...] = ()
    several = _SEVERAL_HOSTS.fullmatch(text)
    if several:
        # SQLAlchemy takes several hosts only as parameters, and each with its port.
        text = several["head"] + several["tail"]
        hosts = tuple(
            host if re.search(r":\d+$", host) else f"{host}:{DEFAULT_PORT}" for host in several["hosts"].split(",")
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The error of the parser may contain a part of the password.
        raise ValueError(
            "the database URL cannot be read: it is postgresql://user:password@host:port/name, "
            "where special characters of the password are percent-encoded"
        ) from None
    return url.update_query_dict({"host": hosts}) if hosts else url


def _sqlite(url: URL, *, has_parameters: bool) -> URL:
    if url.host:
        raise ValueError("the database URL has two slashes: a SQLite URL is sqlite:///file or sqlite:////folder/file")
    if not url.database or url.database == ":memory:":
        raise ValueError("a SQLite database in memory is lost with its connection: name a file, or use MemoryStore")
    if has_parameters:
        # SQLAlchemy would ignore them, or open another file than the one with a question mark in its name.
        raise ValueError("the URL of a SQLite database has no parameters: write a question mark in the path as %3F")
    if not re.match(r"/?~", url.database):
        return url
    database = url.database.removeprefix("/")
    expanded = _expanded(database)
    if expanded == database:
        raise ValueError("the database URL names a home folder (~) that this system does not know")
    return url.set(database=expanded)


def _check_parameters(url: URL) -> None:
    for name, value in url.query.items():
        values = (value,) if isinstance(value, str) else value
        if name not in _KNOWN:
            raise ValueError(f"the database URL has the parameter {name}, which Plushify cannot apply: leave it out")
        if name in _VALUES and not set(values) <= set(_VALUES[name]):
            raise ValueError(f"{name} of the database URL takes {', '.join(_VALUES[name])}")
        if name in _NUMBERS:
            try:
                usable = all(_NUMBERS[name](number) >= 0 for number in values)
            except ValueError:
                usable = False
            if not usable:
                raise ValueError(f"{name} of the database URL takes a number, 0 or more")
        if name in _FILES and not all(
            Path(_expanded(file)).is_file() for file in values if (name, file) != _SYSTEM_TLS
        ):
            raise ValueError(f"{name} of the database URL names a file that does not exist")
    if url.query.get("sslrootcert") == "system" and url.query.get("sslmode", "verify-full") != "verify-full":
        raise ValueError("sslrootcert=system of the database URL takes sslmode=verify-full")  # as for libpq
    if not (url.username or "user" in url.query or "service" in url.query or os.environ.get("PGUSER")):
        try:
            getpass.getuser()  # the default of asyncpg
        except (KeyError, OSError, ImportError):
            raise ValueError(
                "the database URL names no user, and this system has no name for the user of this process"
            ) from None


_SYSTEM_TLS = ("sslrootcert", "system")


def _expanded(path: str) -> str:
    """Return the path with a `~` at its beginning replaced by the home folder, if there is one."""
    return os.path.expanduser(path)  # noqa: PTH111 (`Path.expanduser` would also expand `./~`)


def _system_tls(given: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that trusts the certificate authorities of the operating system, and checks the host name."""
    context = ssl.create_default_context()
    if "sslcert" in given:
        context.load_cert_chain(given["sslcert"], given.get("sslkey"), given.get("sslpassword"))
    return context
