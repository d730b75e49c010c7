"""A third party's flavour needs only the file level: the rest of what versions use comes with the base class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import fsspec
import pytest

from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.content.digest import hash_file
from artfs.errors import DigestMismatch, InvalidName, InvalidValue, OutsideStore, PlaceExists
from artfs.stores.base import PathType, Store
from artfs.stores.registry import store_class


class MemoryStore(Store):
    """A store in the memory of this process, as somebody else might write it."""

    flavor: ClassVar[str] = "test-memory"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"memory://"}

    @property
    def _fs(self) -> Any:
        return fsspec.filesystem("memory")

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        return cast(IO[Any], self._fs.open(self.inside(path), mode))

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        if self.exists(dst) and not overwrite:
            raise FileExistsError(dst)
        self._fs.copy(self.inside(src), self.inside(dst))

    def exists(self, path: PathType) -> bool:
        return bool(self._fs.exists(self.inside(path)))

    def glob(self, pattern: PathType) -> list[str]:
        return [f"memory:/{path}" for path in self._fs.glob(self.inside(pattern))]

    def isdir(self, path: PathType) -> bool:
        return bool(self._fs.isdir(self.inside(path)))

    def listdir(self, path: PathType) -> list[str]:
        return [entry.rsplit("/", 1)[1] for entry in self._fs.ls(self.inside(path), detail=False)]

    def makedirs(self, path: PathType) -> None:
        self._fs.makedirs(self.inside(path), exist_ok=True)

    def mkdir(self, path: PathType) -> None:
        self._fs.mkdir(self.inside(path), create_parents=False)

    def remove(self, path: PathType) -> None:
        self._fs.rm_file(self.inside(path))

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self.copyfile(src, dst, overwrite)
        self.remove(src)

    def rmtree(self, path: PathType) -> None:
        self._fs.rm(self.inside(path), recursive=True)

    def stat(self, path: PathType) -> Any:
        return self._fs.info(self.inside(path))

    def size(self, path: PathType) -> int | None:
        return cast(int, self._fs.size(self.inside(path)))

    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[str, list[str], list[str]]]:
        for directory, directories, names in self._fs.walk(self.inside(top), topdown=topdown):
            yield f"memory:/{directory}", directories, names


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore("memory://bucket/root")
    made.create()
    yield made
    fsspec.filesystem("memory").rm("/", recursive=True)


def test_defining_it_registers_it() -> None:
    assert store_class("test-memory") is MemoryStore
    with pytest.raises(InvalidValue, match="must begin with memory://"):
        MemoryStore("s3://bucket")


def test_versions_can_live_in_it(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    digest = hash_file(tmp_path / "file")
    place = store.place(tmp_path / "file", b"iris/0123/deep/file")
    store.sync([place])
    with pytest.raises(PlaceExists):
        store.place(tmp_path / "file", b"iris/0123/deep/file")
    with BlobReader(digest, [Candidate(lambda: store.open_place(place), lambda: "memory")]) as reader:
        assert bytes(reader.read(0, 100)) == b"content"
    assert list(store.places()) == [b"iris/0123/deep/file"]
    with store.open(place, "wb") as file:
        file.write(b"tampered")
    reader = BlobReader(digest, [Candidate(lambda: store.open_place(place), lambda: "memory")])
    with pytest.raises(DigestMismatch):
        reader.read(0, 100)
    store.remove_place(place)
    store.remove_place(place)
    assert not store.exists(place)


def test_what_a_dead_process_left_can_be_removed(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with store.claim(b"iris/0123"):
        store.place(tmp_path / "file", b"iris/0123/file")
    assert not store.remove_unclaimed(b"iris/0123", lambda: False)
    assert store.remove_unclaimed(b"iris/0123", lambda: True)
    assert not store.remove_unclaimed(b"iris/0123", lambda: True)


@pytest.mark.parametrize(
    "path", ["../x", "memory://bucket/root-evil/x", "memory://bucket/root/../x", "/x", "file:///x"]
)
def test_the_root_is_compared_by_components(store: MemoryStore, path: str) -> None:
    with pytest.raises(OutsideStore):
        store.open(path)
    with pytest.raises((OutsideStore, InvalidName)):
        store.open_place(path.encode())


def test_paths_are_taken_relative_or_full(store: MemoryStore) -> None:
    assert store.inside("a//./b") == store.inside("memory://bucket/root/a/b") == "memory://bucket/root/a/b"
    assert store.inside("") == store.root
