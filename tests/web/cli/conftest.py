"""Fixtures of the tests of the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.server import free_port
from tests.web.cli.commands import COMMANDS
from tests.web.cli.shell import Shell


@pytest.fixture
def arguments(photo: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a function that gives the arguments of a command."""
    values = {"photo": photo, "out": tmp_path / "out.png", "port": free_port()}
    return lambda command: [word.format(**values) for word in COMMANDS[command].split()]


@pytest.fixture
def account(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """Create the account of the command line, with one picture and two credits left."""
    exit_code, _, stderr = plushify("generate", photo, "-o", tmp_path / "first.png")
    assert exit_code == 0, stderr
