"""The documentation matches the code: settings, routes, commands, links and paths."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from plushify_web.app import create_app
from plushify_web.cli import app as command_line
from plushify_web.settings import SETTINGS, Settings
from tests.web.conftest import make_container

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
CODE_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCED_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
REPOSITORY_PATH = re.compile(
    r"(?<![\w/.:-])(?:(?:src|tests|docs|plushify_core|plushify_adapters|plushify_web)/[\w./-]*\w/?)"
)
TOP_LEVEL_FILE = re.compile(r"(?:README|CONTRIBUTING|CHANGELOG)\.md|pyproject\.toml|noxfile\.py")


def test_every_setting_is_documented() -> None:
    """docs/settings.md has one row per setting, and no other rows."""
    documented = re.findall(r"^\| `(PLUSHIFY_\w+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(SETTINGS)


def test_the_documented_defaults_are_true() -> None:
    """The documented default of a setting is the default of `Settings`."""
    rows = re.findall(r"^\| `(PLUSHIFY_\w+)` \| `([^`]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for name, documented in rows:
        default: Any = getattr(Settings(), SETTINGS[name].name)
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        if isinstance(default, bool):
            shown = shown.lower()
        assert shown == documented, name


def test_every_route_is_documented() -> None:
    """docs/http.md has one row per method of each route, and no other rows."""
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
    """docs/cli.md has one row per command with each of its options, and no other rows."""
    rows = re.findall(r"^\| `plushify ([^`]*)` \|", (DOCS / "cli.md").read_text(), re.MULTILINE)
    commands = dict(_commands(typer.main.get_command(command_line)))
    documented = {next(name for name in commands if row.startswith(name)): row.split() for row in rows}
    assert set(documented) == set(commands)
    for name, command in commands.items():
        options = {option for option in documented[name] if option.startswith("-")}
        known = [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
        assert all(options & set(opts) for opts in known), name
        assert options <= {opt for opts in known for opt in opts}, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    """The target of a relative link exists, and so does the heading that it names."""
    for link in LINK.findall(document.read_text("utf-8")):
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not heading or heading in _anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_path_in_backticks_exists(document: Path) -> None:
    """A path of the repository that a document names in backticks exists in the repository or in its `src` folder."""
    missing = [path for path in _paths(document) if not ((ROOT / path).exists() or (ROOT / "src" / path).exists())]
    assert missing == []


def test_paths_are_found_in_backticks() -> None:
    """The search for paths finds those of the architecture, and leaves out media types, URLs and dotted names."""
    assert {"tests/browser/", "pyproject.toml", "plushify_core/domain/errors.py"} <= {*_paths(DOCS / "architecture.md")}
    assert _paths_in("`application/json`, `https://example.org/src/x` and `plushify_core.ports`, but `src/x.py`.") == [
        "src/x.py"
    ]


def _paths(document: Path) -> list[str]:
    return _paths_in(document.read_text("utf-8"))


def _paths_in(markdown: str) -> list[str]:
    spans = CODE_SPAN.findall(FENCED_BLOCK.sub("", markdown))
    return [path for span in spans for path in (*REPOSITORY_PATH.findall(span), *TOP_LEVEL_FILE.findall(span))]


def _anchors(document: Path) -> set[str]:
    """Return the anchors that the forge gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child_name, child in command.commands.items():
        yield from _commands(child, f"{name} {child_name}".strip())
