"""Command line for tests, run in this process."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from plushify_web.cli import main


@dataclass(frozen=True, eq=False)
class Shell:
    """Runs the command line and captures its output."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Run a command, and return its exit code, stdout and stderr."""
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        out, err = self.capsys.readouterr()
        return int(exited.value.code or 0), out, err

    def json(self, *arguments: object) -> Any:
        """Run a command with `--json`, which must succeed, and return its result."""
        exit_code, out, err = self(*arguments, "--json")
        assert exit_code == 0, err
        return json.loads(out)
