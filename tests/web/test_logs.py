"""Formats of the log."""

import json
import logging
import sys
from typing import Literal

import pytest
import structlog

from plushify_web.logs import configure_logging, formatter

ESCAPE = "\x1b"


class Terminal:
    """Output stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def record() -> logging.LogRecord:
    """Return a record with a traceback."""
    try:
        raise ValueError("no")
    except ValueError:
        return logging.LogRecord("plushify", logging.ERROR, "file.py", 1, "%s went wrong", ("it",), sys.exc_info())


def test_only_terminals_get_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console format has colours on a terminal and none in a file."""
    in_file = formatter("console").format(record())
    assert "it went wrong" in in_file
    assert "ValueError: no" in in_file
    assert ESCAPE not in in_file
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert ESCAPE in formatter("console").format(record())


def test_json_format_has_one_object_per_line() -> None:
    """The JSON format is one object per line, with the traceback as structured data."""
    line = formatter("json").format(record())
    assert ("\n" in line, ESCAPE in line) == (False, False)
    logged = json.loads(line)
    assert (logged["event"], logged["level"]) == ("it went wrong", "error")
    assert logged["exception"][0]["exc_value"] == "no"


def test_json_format_contains_no_local_variables() -> None:
    """A traceback in JSON names the functions but not the values of their variables, such as passwords."""

    def sign_in(password: str) -> None:
        raise ValueError("no")

    try:
        sign_in("open " + "sesame")
    except ValueError:
        record = logging.LogRecord("plushify", logging.ERROR, "file.py", 1, "wrong", (), sys.exc_info())
    line = formatter("json").format(record)
    assert "sign_in" in line
    assert "open sesame" not in line


@pytest.mark.parametrize("kind", ["console", "json"])
def test_libraries_log_to_stderr(capsys: pytest.CaptureFixture[str], kind: Literal["console", "json"]) -> None:
    """Records that libraries log by structlog go to stderr: stdout is for results."""
    configure_logging(kind)
    structlog.stdlib.get_logger("library").warning("retried", attempt=1)
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    assert "retried" in line
    if kind == "json":
        logged = json.loads(line)
        assert (logged["event"], logged["level"], logged["attempt"]) == ("retried", "warning", 1)
