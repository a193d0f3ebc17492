"""Every check of the project: `uv run nox` runs the default ones, `uv run nox -l` lists all."""

import shutil
import sys

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
    """The project with these extras, and what the dependency groups name."""
    dependencies = [line for group in groups for line in nox.project.dependency_groups(PYPROJECT, group)]
    session.install("-e", f".{extras}", *dependencies)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and the architecture: which module may import which."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types for all three packages."""
    install(session, "types", "test")
    session.run("mypy")


@nox.session(python=PYTHONS)
def core_only(session: nox.Session) -> None:
    """The core, the in-memory adapters and their tests, with msgspec and nothing else."""
    install(session, "core-test", extras="")
    session.run("pytest", "tests/core", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Every test, against a real PostgreSQL, a real HTTP emulator of OpenRouter and a real browser."""
    install(session, "test")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.run("playwright", "install", "chromium")
    session.run("pytest", "--numprocesses=2", "--dist=loadgroup", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """How fast it is: every row is a ratio of two things measured in this run."""
    install(session, "test")
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def simulate(session: nox.Session) -> None:
    """Simulated worlds full of faults, in which no credit may be lost. Replay one with `-- --seed N`."""
    install(session, "core-test", extras="")
    session.run("python", "-m", "tests.simulation", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Real servers that are killed under load, and no credit may be lost. Plan the same faults with `-- --seed N`."""
    install(session, "test")
    session.run("python", "-m", "tests.chaos", *session.posargs)
