"""Fixtures of the tests of the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.server import free_port
from tests.web.cli.commands import COMMANDS


@pytest.fixture
def arguments(photo: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a function that gives the arguments of a command."""
    values = {"photo": photo, "out": tmp_path / "out.png", "port": free_port()}
    return lambda command: [word.format(**values) for word in COMMANDS[command].split()]
