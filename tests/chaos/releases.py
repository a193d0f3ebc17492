"""Releases whose servers run side by side: the previous one, this one, and the next one."""

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import NamedTuple

import plushify_core
from plushify_adapters.sql.migrate import revisions

LAST_REVISION_OF_PREVIOUS_RELEASE = "0002"
"""Last migration of the release before this one. Raise it after each release."""

REPOSITORY = Path(__file__).parents[2]
MIGRATIONS = "plushify_adapters/sql/migrations/versions"

NEXT_REVISION = "9999"
NEXT_MIGRATION = '''"""Column and index that only the next release knows."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{previous}"
compatible_with = "{compatible_with}"


def upgrade() -> None:
    """Add them."""
    op.add_column("generations", sa.Column("next_release", sa.Text(), server_default="x", nullable=False))
    op.create_index("ix_generations_next_release", "generations", ["next_release"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_generations_next_release", "generations")
    op.drop_column("generations", "next_release")
'''


class Release(NamedTuple):
    """Source code of a release. It runs with the dependencies of this environment.

    Attributes:
        name: name for logs.
        src: folder with its packages.
    """

    name: str
    src: Path

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return environment variables with which `plushify` runs this release.

        Settings that the release does not know are left out, because they would stop its start.
        """
        environment = {**settings, "PYTHONPATH": str(self.src)}
        script = "import plushify_web.settings as s; print(s.__file__, *s.SETTINGS)"
        located, *known = subprocess.run(
            [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
        ).stdout.split()
        assert Path(located).is_relative_to(self.src), f"{located} is not the release in {self.src}"
        return {name: value for name, value in environment.items() if not name.startswith("PLUSHIFY_") or name in known}


def this_release() -> Release:
    """Return the code under test."""
    return Release("this", Path(plushify_core.__file__).parents[1])


def previous_release(folder: Path) -> Release:
    """Return the previous release, unpacked from the history of the repository to `folder`.

    Raises:
        RuntimeError: the history of the repository is missing.
    """
    archive = _git("archive", "--format=tar", _commit_of_previous_release(), "src")
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return Release("previous", folder / "src")


def next_release(folder: Path, *, compatible_with: str) -> Release:
    """Return a copy of this code with one more migration.

    Args:
        folder: folder for the copy.
        compatible_with: as in a migration.
    """
    src = folder / "src"
    copytree(this_release().src, src, ignore=ignore_patterns("__pycache__"))
    migration = NEXT_MIGRATION.format(
        revision=NEXT_REVISION, previous=list(revisions())[-1], compatible_with=compatible_with
    )
    (src / MIGRATIONS / f"{NEXT_REVISION}_next.py").write_text(migration)
    return Release("next", src)


def _commit_of_previous_release() -> str:
    """Return the latest commit of the main line whose last migration is that of the previous release."""
    folder = f"src/{MIGRATIONS}"
    changes = _git("rev-list", "--first-parent", "HEAD", "--", folder).decode().split()
    for commit in ["HEAD", *(f"{change}^" for change in changes)]:
        names = _git("ls-tree", "--name-only", commit, f"{folder}/").decode().split()
        numbers = [Path(name).name.partition("_")[0] for name in names if not Path(name).name.startswith("_")]
        if max(numbers, default="") == LAST_REVISION_OF_PREVIOUS_RELEASE:
            return commit
    raise RuntimeError(
        f"no commit in the history has {LAST_REVISION_OF_PREVIOUS_RELEASE} as its last migration:"
        " fetch the whole history with `git fetch --unshallow`"
    )


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        reason = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise RuntimeError(
            f"the previous release is in the history of the repository, which cannot be read: {reason}."
            " This test needs git and a full clone"
        ) from error
