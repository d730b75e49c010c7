"""Every flavour that the contract is for, each with an empty store. A new flavour gets its line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.stores.adapted import AdaptedBackend
from artfs.stores.backend import Backend
from artfs.stores.local.store import LocalStore
from artfs.stores.remote.deadline import DeadlineStore
from support.faulty_store import SCHEME, FaultyStore
from support.stores import FileStore, MemoryStore, PlainMemoryStore

FLAVORS: dict[str, Callable[[Path], Backend]] = {
    "local": lambda folder: LocalStore(f"{folder}/root", name="test"),
    "fsspec file": lambda folder: FileStore(f"file://{folder}/root", name="test"),
    "fsspec memory": lambda folder: MemoryStore("memory://bucket/root", name="test"),
    "files only": lambda folder: AdaptedBackend(PlainMemoryStore("memory://bucket/root", name="test")),
    "faulty in a good mood": lambda folder: FaultyStore(f"{SCHEME}{folder}/root", name="test"),
}


@pytest.fixture(params=[f"{layer}{flavor}" for flavor in FLAVORS for layer in ("", "deadline around ")])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty store, with a neighbour whose name begins with the store's."""
    (tmp_path / "root-evil").mkdir()
    (tmp_path / "root-evil/secret").write_bytes(b"secret")
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/root-evil/secret", b"secret")
    made = FLAVORS[request.param.removeprefix("deadline around ")](tmp_path)
    if request.param not in FLAVORS:
        made = DeadlineStore(made)
    made.create()
    yield made
    made.close()
    assert (tmp_path / "root-evil/secret").read_bytes() == memory.cat_file("/bucket/root-evil/secret") == b"secret"
    memory.rm("/", recursive=True)
