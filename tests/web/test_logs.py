"""The log."""

import json
import logging
import sys

import pytest

from plushify_web.logs import formatter

ESCAPE = "\x1b"


class Terminal:
    """An output that says it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


def record() -> logging.LogRecord:
    """A line with a traceback."""
    try:
        raise ValueError("no")
    except ValueError:
        return logging.LogRecord("plushify", logging.ERROR, "file.py", 1, "%s went wrong", ("it",), sys.exc_info())


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log for people has colours on a terminal, and none in a file."""
    in_file = formatter("console").format(record())
    assert "it went wrong" in in_file
    assert "ValueError: no" in in_file
    assert ESCAPE not in in_file
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert ESCAPE in formatter("console").format(record())


def test_programs_read_json() -> None:
    """The log for programs is one object per line, with the traceback as data."""
    line = formatter("json").format(record())
    assert ("\n" in line, ESCAPE in line) == (False, False)
    logged = json.loads(line)
    assert (logged["event"], logged["level"]) == ("it went wrong", "error")
    assert logged["exception"][0]["exc_value"] == "no"


def test_no_local_variable_is_logged() -> None:
    """A traceback in JSON tells where, and not with which password."""

    def sign_in(password: str) -> None:
        raise ValueError("no")

    try:
        sign_in("open " + "sesame")
    except ValueError:
        record = logging.LogRecord("plushify", logging.ERROR, "file.py", 1, "wrong", (), sys.exc_info())
    line = formatter("json").format(record)
    assert "sign_in" in line
    assert "open sesame" not in line
