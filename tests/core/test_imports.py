"""What importing the core costs."""

import subprocess
import sys

import plushify_core

PROBE = """
import sys
before = set(sys.modules)
import {package}
loaded = {{module.partition(".")[0] for module in set(sys.modules) - before}}
print(*sorted(loaded - sys.stdlib_module_names))
"""


def loaded_by(package: str) -> set[str]:
    """The top-level packages outside the standard library that a fresh interpreter loads for `package`."""
    # -I and not -S: as anyone's interpreter starts, but for what the environment of this one adds.
    probe = subprocess.run(
        [sys.executable, "-I", "-c", PROBE.format(package=package)], capture_output=True, text=True, check=True
    )
    return set(probe.stdout.split())


def test_the_core_needs_only_msgspec() -> None:
    """The core loads neither an adapter nor any third-party package but msgspec and what that loads."""
    assert loaded_by("plushify_core") - loaded_by("msgspec") == {"plushify_core"}


def test_the_probe_sees_third_parties() -> None:
    """The check above could fail: of a module that needs more, it sees it."""
    assert loaded_by("plushify_adapters.memory") >= {"plushify_adapters", "plushify_core", "msgspec"}


def test_public_names() -> None:
    """`__all__` is sorted, without repetition, and names what is there."""
    names = plushify_core.__all__

    assert list(names) == sorted(set(names), key=lambda name: (not name.isupper(), name))
    assert [name for name in names if not hasattr(plushify_core, name)] == []
