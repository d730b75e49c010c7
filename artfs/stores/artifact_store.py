"""The artifact store interface of ZenML: operations on files below a root (`open copyfile exists glob ...`).

`artfs.io.fileio` works through it, and it is all that a flavour has to have; what versions need of a store is then done
with these operations (`artfs.stores.adapted`). No operation may leave the root: a flavour calls `self.inside(path)` on
every path that it is given.

    class ShelfStore(BaseArtifactStore):
        FLAVOR = "shelf"
        SUPPORTED_SCHEMES = {"shelf://"}

        def open(self, path, mode="r"):
            return shelf.open(self.inside(path), mode)
        ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import IO, Any

from artfs.stores.flavor import PathType, StoreFlavor


class BaseArtifactStore(StoreFlavor, ABC):
    """Files below a root. Every path may be relative to the root or full.

    Args:
        root: a directory or URI.
        options: settings of the flavour.
        id: the row in the catalog, if it is registered.
        name: what people call it.
    """

    @property
    def is_local(self) -> bool:
        """Whether the root is a directory of this machine, so that a link in it may lead elsewhere."""
        return False

    @abstractmethod
    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        """Open a file."""

    @abstractmethod
    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copy a file; FileExistsError unless `overwrite`."""

    @abstractmethod
    def exists(self, path: PathType) -> bool:
        """Whether something is there."""

    @abstractmethod
    def glob(self, pattern: PathType) -> list[str]:
        """Return the full paths that match a shell pattern."""

    @abstractmethod
    def isdir(self, path: PathType) -> bool:
        """Whether a directory is there."""

    @abstractmethod
    def listdir(self, path: PathType) -> list[str]:
        """Return the names in a directory."""

    @abstractmethod
    def makedirs(self, path: PathType) -> None:
        """Make a directory and those above it; fine if it is there."""

    @abstractmethod
    def mkdir(self, path: PathType) -> None:
        """Make a directory in an existing one."""

    @abstractmethod
    def remove(self, path: PathType) -> None:
        """Remove a file."""

    @abstractmethod
    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Give a file another path; FileExistsError unless `overwrite`."""

    @abstractmethod
    def rmtree(self, path: PathType) -> None:
        """Remove a directory and everything in it."""

    @abstractmethod
    def stat(self, path: PathType) -> Any:
        """Return what the store knows about a path."""

    @abstractmethod
    def size(self, path: PathType) -> int | None:
        """Return a file's bytes, or None where the store cannot tell."""

    @abstractmethod
    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[str, list[str], list[str]]]:
        """Yield (directory, names of directories, names of files) for `top` and all below."""
