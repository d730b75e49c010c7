"""A store over fsspec whose client fails in the middle of a put, or lies about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from artfs.errors import StoreError
from support.stores import MemoryStore

KEY = b"iris/0123/file"


class WholeObjects(MemoryStore):
    """As in a bucket, where an object is there whole or not at all."""

    flavor = "test-whole-objects"
    ATOMIC_PUT = True


@pytest.fixture(params=[MemoryStore, WholeObjects])
def store(request: pytest.FixtureRequest) -> Iterator[MemoryStore]:
    made: MemoryStore = request.param("memory://bucket/root", name="mine")
    made.create()
    yield made
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"0123456789")
    return path


def test_a_put_that_fails_leaves_no_half(store: MemoryStore, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else may have put the same object whole meanwhile: that one stays."""

    def fail(local: str, remote: str, **_: Any) -> None:
        store.filesystem.pipe_file(remote, b"01234" if not store.ATOMIC_PUT else b"0123456789")
        raise ConnectionResetError("in the middle")

    monkeypatch.setattr(store.filesystem, "put_file", fail)
    with pytest.raises(ConnectionResetError):
        store.put(source, KEY)
    assert [listed.size for listed in store.list()] == ([10] if store.ATOMIC_PUT else [])


def test_a_put_that_claims_to_be_whole_is_looked_at(
    store: MemoryStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        store.filesystem, "put_file", lambda local, remote, **_: store.filesystem.pipe_file(remote, b"01234")
    )
    with pytest.raises(StoreError, match="has 5 bytes of the 10 that were put there"):
        store.put(source, KEY)
    assert list(store.list()) == []


def test_a_listing_that_fails_is_no_empty_one(
    store: MemoryStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(source, KEY)

    def fail(*_: object, **__: object) -> None:
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(store.filesystem, "ls", fail)
    with pytest.raises(PermissionError):
        list(store.list())
