"""Public names of the adapters."""

from types import ModuleType

import pytest

from plushify_adapters import blobs, conformance, felt, memory, openrouter, sql
from tests.core.public_names import in_order, missing_names, unlisted_names

PACKAGES = [blobs, conformance, felt, memory, openrouter, sql]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_sorted_and_exists(package: ModuleType) -> None:
    """`__all__` is sorted, repeats no name, and lists only names that exist."""
    assert package.__all__ == in_order(package.__all__)
    assert missing_names(package) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_complete(package: ModuleType) -> None:
    """`__all__` lists every public name of the package, except modules."""
    assert unlisted_names(package) == []
