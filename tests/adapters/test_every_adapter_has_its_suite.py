"""No adapter goes untested: every class that implements a port is run through the suite of that port."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import plushify_adapters
from plushify_adapters import conformance, memory
from plushify_core import ports

TESTS = Path(__file__).parent.parent
SUITES: dict[type, str] = {
    ports.AccountStore: "AccountStoreConformance",
    ports.BlobStore: "BlobStoreConformance",
    ports.Events: "EventsConformance",
    ports.ImageCodec: "ImageCodecConformance",
    ports.ImageModel: "ImageModelConformance",
    ports.Store: "StoreConformance",
}


def implements(candidate: type, port: type) -> bool:
    """Whether a class says that it implements a port, or has all the methods of it."""
    methods = [name for name in vars(port) if not name.startswith("_")]
    return port in candidate.__mro__ or all(callable(getattr(candidate, name, None)) for name in methods)


def adapters_of(port: type) -> set[str]:
    """The names of the public classes in `plushify_adapters` that implement a port."""
    found = set()
    for module in modules(plushify_adapters):
        for name, candidate in inspect.getmembers(module, inspect.isclass):
            ours = candidate.__module__ == module.__name__ and not name.startswith("_")
            if ours and implements(candidate, port):
                found.add(name)
    return found


def modules(package: Any) -> Iterator[Any]:
    """All modules of a package but the suites themselves and the migrations, which run inside of Alembic."""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not info.name.startswith(conformance.__name__) and ".migrations" not in info.name:
            yield importlib.import_module(info.name)


def declared_in(suite: str, tests: Path) -> set[str]:
    """The names of the adapters that the test classes in a folder declare for a suite, directly or through a base."""
    classes = [
        node
        for path in tests.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    of_the_suite = {suite}
    grown = True
    while grown:
        more = {each.name for each in classes if of_the_suite & {ast.unparse(base) for base in each.bases}}
        grown = not more <= of_the_suite
        of_the_suite |= more
    return {
        ast.unparse(statement.value)
        for each in classes
        if each.name in of_the_suite and each.name.startswith("Test")
        for statement in each.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "adapter"
    }


@pytest.mark.parametrize("port", SUITES, ids=lambda port: port.__name__)
def test_every_adapter_of_the_port_has_its_suite(port: type) -> None:
    """The classes that implement the port are those that its suite is run on."""
    assert declared_in(SUITES[port], TESTS) == adapters_of(port)


@pytest.mark.parametrize("port", SUITES, ids=lambda port: port.__name__)
def test_every_port_has_an_adapter_in_memory(port: type) -> None:
    """The search finds adapters at all: the in-memory ones, which every port has."""
    in_memory = {name for name in memory.__all__ if implements(getattr(memory, name), port)}

    assert len(in_memory) == 1
    assert in_memory <= adapters_of(port)


def test_suites_are_those_that_ship() -> None:
    """Every suite that ships belongs to a port here."""
    assert sorted(SUITES.values()) == sorted(conformance.__all__)


def test_an_adapter_without_a_suite_is_found(tmp_path: Path) -> None:
    """A class with the methods of a port counts; a test class that only resembles a suite's does not."""

    class Drawer:
        async def capabilities(self) -> None: ...

        async def generate(self) -> None: ...

    (tmp_path / "test_it.py").write_text(
        "class Base(ImageModelConformance): ...\n"
        "class TestOne(Base):\n    adapter = One\n"
        "class TestTwo(ImageModelConformance):\n    adapter = Two\n"
        "class TestThree:\n    adapter = Three\n"
        "class Four(ImageModelConformance):\n    adapter = Four\n",
        "utf-8",
    )

    assert implements(Drawer, ports.ImageModel)
    assert not implements(Drawer, ports.ImageCodec)
    assert declared_in("ImageModelConformance", tmp_path) == {"One", "Two"}
