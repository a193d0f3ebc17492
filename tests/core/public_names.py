"""Checks of the public names of a package."""

from types import ModuleType


def in_order(names: list[str]) -> list[str]:
    """Return the names without repetition, in the order of the linter: constants, classes, then functions."""
    return sorted(set(names), key=lambda name: (not name.isupper(), name))


def missing_names(package: ModuleType) -> list[str]:
    """Return the names in `__all__` that the package does not have."""
    return [name for name in package.__all__ if not hasattr(package, name)]


def unlisted_names(package: ModuleType) -> list[str]:
    """Return the public names of the package that are not in `__all__`, except its submodules."""
    return [
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and name not in package.__all__ and not _is_submodule(value, package)
    ]


def _is_submodule(value: object, package: ModuleType) -> bool:
    return isinstance(value, ModuleType) and value.__name__.startswith(f"{package.__name__}.")
