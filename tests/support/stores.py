"""Artifact stores of other flavours than `local`, as a third party would write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import fsspec

from artfs.stores import BaseArtifactStore
from artfs.stores.flavor import PathType
from artfs.stores.remote.fsspec import FsspecStore


class MemoryStore(FsspecStore):
    """In the memory of this process. All of them share it: empty it after use."""

    flavor = "memory"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"memory://"}
    PROTOCOL: ClassVar[str] = "memory"
    OPTIONS: ClassVar[frozenset[str]] = frozenset({"asynchronous"})


class FileStore(FsspecStore):
    """In a directory, but through fsspec."""

    flavor = "fsspec-file"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"file://"}
    PROTOCOL: ClassVar[str] = "file"


class PlainMemoryStore(BaseArtifactStore):
    """The same as somebody writes it who knows the interface of ZenML and nothing else."""

    flavor = "test-memory"
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


def stored_files(root: Path) -> list[Path]:
    """The files of versions below the root of a store, without what the store keeps for itself."""
    return sorted(path for path in root.rglob("*") if path.is_file() and ".artfs" not in path.relative_to(root).parts)


def files_in_store(home: Path) -> list[Path]:
    """The same of the store that a home begins with."""
    return stored_files(home / "store")
