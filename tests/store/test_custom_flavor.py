"""A third party's flavour needs only operations on files: what versions need of a store is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.content.digest import hash_file
from artfs.errors import DigestMismatch, InvalidName, InvalidValue, OutsideStore, PlaceExists
from artfs.stores.base import Store
from artfs.stores.making import make_store
from artfs.stores.registry import store_class
from support.stores import PlainMemoryStore


@pytest.fixture
def store() -> Iterator[Store]:
    made = make_store(PlainMemoryStore, "memory://bucket/root", {})
    made.create()
    yield made
    fsspec.filesystem("memory").rm("/", recursive=True)


def test_defining_it_registers_it() -> None:
    assert store_class("test-memory") is PlainMemoryStore
    with pytest.raises(InvalidValue, match="must begin with memory://"):
        PlainMemoryStore("s3://bucket")


def test_versions_can_live_in_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    digest = hash_file(tmp_path / "file")
    with store.claim(b"iris/0123"):
        place = store.place(tmp_path / "file", b"iris/0123/deep/file")
    store.sync([place])
    with pytest.raises(PlaceExists):
        store.place(tmp_path / "file", b"iris/0123/deep/file")
    with BlobReader(digest, [Candidate(lambda: store.open_place(place), lambda: "memory")]) as reader:
        assert bytes(reader.read(0, 100)) == b"content"
    assert list(store.places()) == [b"iris/0123/deep/file"]
    with store.files.open(place, "wb") as file:
        file.write(b"tampered")
    reader = BlobReader(digest, [Candidate(lambda: store.open_place(place), lambda: "memory")])
    with pytest.raises(DigestMismatch):
        reader.read(0, 100)
    store.delete(place)
    store.delete(place)
    assert not store.files.exists(place)


@pytest.mark.parametrize(
    "path", ["../x", "memory://bucket/root-evil/x", "memory://bucket/root/../x", "/x", "file:///x"]
)
def test_the_root_is_compared_by_components(store: Store, path: str) -> None:
    with pytest.raises(OutsideStore):
        store.files.open(path)
    with pytest.raises((OutsideStore, InvalidName)):
        store.open_place(path.encode())


def test_paths_are_taken_relative_or_full(store: Store) -> None:
    files = store.files
    assert files.inside("a//./b") == files.inside("memory://bucket/root/a/b") == "memory://bucket/root/a/b"
    assert files.inside("") == files.root == store.root
