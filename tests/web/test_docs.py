"""Completeness of the documentation: settings, routes and commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from plushify_web.app import create_app
from plushify_web.cli import app as command_line
from plushify_web.settings import SETTINGS, Settings
from tests.web.conftest import make_container

DOCS = Path(__file__).parents[2] / "docs"


def test_every_setting_is_documented() -> None:
    """docs/settings.md has exactly one row for each setting."""
    documented = re.findall(r"^\| `(PLUSHIFY_\w+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(SETTINGS)


def test_documented_defaults_are_correct() -> None:
    """Each default in docs/settings.md that is given as a value equals the default in the code."""
    rows = re.findall(r"^\| `(PLUSHIFY_\w+)` \| `([^`]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for name, documented in rows:
        default: Any = getattr(Settings(), SETTINGS[name].name)
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        if isinstance(default, bool):
            shown = shown.lower()
        assert shown == documented, name


def test_every_route_is_documented() -> None:
    """docs/http.md has exactly one row for each method of each route, except those described in its prose."""
    app = create_app(make_container(Settings()))
    served = {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in app.routes
        for method in route.methods
        if method not in {"OPTIONS", "HEAD"}
    }
    rows = re.findall(r"^\| `((?:GET|POST|DELETE) /[^ `?]*)", (DOCS / "http.md").read_text(), re.MULTILINE)
    in_prose = {"GET /static/{path}", "GET /schema/openapi.json", "GET /schema/{path}"}
    assert served - in_prose == set(rows)


def test_every_command_is_documented() -> None:
    """docs/cli.md has exactly one row for each command, with exactly its options."""
    rows = re.findall(r"^\| `plushify ([^`]*)` \|", (DOCS / "cli.md").read_text(), re.MULTILINE)
    commands = dict(_commands(typer.main.get_command(command_line)))
    documented = {next(name for name in commands if row.startswith(name)): row.split() for row in rows}
    assert set(documented) == set(commands)
    for name, command in commands.items():
        options = {option for option in documented[name] if option.startswith("-")}
        known = [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
        assert all(options & set(opts) for opts in known), name
        assert options <= {opt for opts in known for opt in opts}, name


def _commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child_name, child in command.commands.items():
        yield from _commands(child, f"{name} {child_name}".strip())
