"""Imports of the core: its dependencies, and its public names."""

import subprocess
import sys
from types import ModuleType

import pytest

import plushify_core
import plushify_core.ports
import plushify_core.worker
from tests.core.public_names import in_order, missing_names, unlisted_names

PROBE = """
import sys
before = set(sys.modules)
import {package}
loaded = {{module.partition(".")[0] for module in set(sys.modules) - before}}
print(*sorted(loaded - sys.stdlib_module_names))
"""
PACKAGES = [plushify_core, plushify_core.ports, plushify_core.worker]


def loaded_by(package: str) -> set[str]:
    """Return the top-level packages outside the standard library that a new interpreter loads for `package`."""
    # -I ignores the environment variables of this process; -S would hide the installed packages.
    probe = subprocess.run(
        [sys.executable, "-I", "-c", PROBE.format(package=package)], capture_output=True, text=True, check=True
    )
    return set(probe.stdout.split())


def test_the_core_needs_only_msgspec() -> None:
    """The core loads neither an adapter nor any third-party package except msgspec and its dependencies."""
    assert loaded_by("plushify_core") - loaded_by("msgspec") == {"plushify_core"}


def test_the_probe_detects_dependencies() -> None:
    """The probe reports every package that an import loads, so the test above can fail."""
    assert loaded_by("plushify_adapters.memory") >= {"plushify_adapters", "plushify_core", "msgspec"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_sorted_and_exists(package: ModuleType) -> None:
    """`__all__` is sorted, repeats no name, and lists only names that exist."""
    assert package.__all__ == in_order(package.__all__)
    assert missing_names(package) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_complete(package: ModuleType) -> None:
    """`__all__` lists every public name of the package, except its submodules."""
    assert unlisted_names(package) == []


def test_the_check_detects_wrong_names() -> None:
    """The checks above report a missing name, an unlisted name and a wrong order, so they can fail."""
    package = ModuleType("package")
    submodule, imported = ModuleType("package.submodule"), ModuleType("imported")
    vars(package).update(__all__=["b", "A", "b"], A=1, extra=2, submodule=submodule, imported=imported)

    assert in_order(package.__all__) == ["A", "b"]
    assert missing_names(package) == ["b", "b"]
    assert unlisted_names(package) == ["extra", "imported"]
