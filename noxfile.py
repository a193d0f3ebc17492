"""Every check of the project: `uv run nox` runs the default ones, `uv run nox -l` lists all."""

import json
import re
import shutil
import sys
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False
nox.options.sessions = ["lint", "types", f"core_only-{CURRENT}", f"tests-{CURRENT}"]


def install(session: nox.Session, *groups: str, extras: str = "[all]") -> None:
    """Install the project with these extras, and the packages of these dependency groups."""
    dependencies = [line for group in groups for line in nox.project.dependency_groups(PYPROJECT, group)]
    session.install("-e", f".{extras}", *dependencies)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, and the architecture: which module may import which."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly: of the three packages, and of the README's examples as users of the packages see them."""
    install(session, "types", "test")
    session.run("mypy")
    program = readme_program(Path(session.create_tmp()))
    session.run("mypy", "--strict", str(program))
    # The build of pyright that comes with its own Node.js, so that a machine needs nothing but Python.
    session.run("basedpyright", "--project", str(program.parent), "--pythonpath", f"{session.bin}/python")


def readme_program(folder: Path) -> Path:
    """Write the Python examples of the README to `folder` as one program, with a strict configuration of pyright."""
    program = folder / "readme" / "program.py"
    program.parent.mkdir(exist_ok=True)
    examples = re.findall(r"```python\n(.*?)```", Path("README.md").read_text("utf-8"), re.DOTALL)
    program.write_text("\n".join(examples))
    (program.parent / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))
    return program


@nox.session(python=PYTHONS)
def core_only(session: nox.Session) -> None:
    """Test the core and the in-memory adapters in an environment with only msgspec."""
    install(session, "core-test", extras="")
    session.run("pytest", "tests/core", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run every test, against a real PostgreSQL, a real HTTP emulator of OpenRouter and a real browser."""
    install(session, "test")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.run("playwright", "install", "chromium")
    session.run("pytest", "--numprocesses=2", "--dist=loadgroup", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the speed. Every row is a ratio of two measurements of this run."""
    install(session, "test")
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def simulate(session: nox.Session) -> None:
    """Simulate worlds full of faults, in which no credit may be lost. `-- --seed N` replays one world."""
    install(session, "core-test", extras="")
    session.run("python", "-m", "tests.simulation", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill real servers under load, without the loss of a credit. `-- --seed N` plans the same faults."""
    install(session, "test")
    session.run("python", "-m", "tests.chaos", *session.posargs)
