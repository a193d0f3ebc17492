"""The tests run the suite of its port on every adapter, that is, on every class that implements a port."""

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
    """Return whether a class inherits from a port, or has all of its methods."""
    methods = [name for name in vars(port) if not name.startswith("_")]
    return port in candidate.__mro__ or all(callable(getattr(candidate, name, None)) for name in methods)


def adapters_of(port: type) -> set[str]:
    """Return the names of the public classes in `plushify_adapters` that implement a port."""
    found = set()
    for module in modules(plushify_adapters):
        for name, candidate in inspect.getmembers(module, inspect.isclass):
            is_public = candidate.__module__ == module.__name__ and not name.startswith("_")
            if is_public and implements(candidate, port):
                found.add(name)
    return found


def modules(package: Any) -> Iterator[Any]:
    """Yield all modules of a package, except the suites and the migrations, which only Alembic can import."""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not info.name.startswith(conformance.__name__) and ".migrations" not in info.name:
            yield importlib.import_module(info.name)


def declared_in(suite: str, tests: Path) -> set[str]:
    """Return the adapters that the test classes in a folder declare for a suite, directly or through a base class."""
    classes = [
        node
        for path in tests.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    subclasses = {suite}
    grown = True
    while grown:
        more = {each.name for each in classes if subclasses & {ast.unparse(base) for base in each.bases}}
        grown = not more <= subclasses
        subclasses |= more
    return {
        ast.unparse(statement.value)
        for each in classes
        if each.name in subclasses and each.name.startswith("Test")
        for statement in each.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "adapter"
    }


@pytest.mark.parametrize("port", SUITES, ids=lambda port: port.__name__)
def test_every_adapter_of_the_port_has_its_suite(port: type) -> None:
    """The suite of a port runs on exactly the classes that implement the port."""
    assert declared_in(SUITES[port], TESTS) == adapters_of(port)


@pytest.mark.parametrize("port", SUITES, ids=lambda port: port.__name__)
def test_every_port_has_one_adapter_in_memory(port: type) -> None:
    """Every port has one in-memory adapter, and the search for adapters finds it."""
    in_memory = {name for name in memory.__all__ if implements(getattr(memory, name), port)}

    assert len(in_memory) == 1
    assert in_memory <= adapters_of(port)


def test_every_suite_belongs_to_a_port() -> None:
    """Every suite of the package belongs to a port of this list."""
    assert sorted(SUITES.values()) == sorted(conformance.__all__)


def test_finds_adapters_and_declarations(tmp_path: Path) -> None:
    """A class with the methods of a port is an adapter. Only test classes that inherit from the suite declare one."""

    class Model:
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

    assert implements(Model, ports.ImageModel)
    assert not implements(Model, ports.ImageCodec)
    assert declared_in("ImageModelConformance", tmp_path) == {"One", "Two"}
