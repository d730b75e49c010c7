"""A store of a home: a backend, and what making a version asks of it beyond the narrow side.

In a directory of this machine bytes are adopted by hard link, claimed against gc and synced in bulk, and the root bears
a mark: `artfs.stores.local.store`. Elsewhere an object is durable when it was put, and nobody but a whole version's
manifest speaks for it: there is nothing to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from artfs.names import check_relative_path
from artfs.stores.backend import Backend, PlaceReader
from artfs.stores.flavor import PathType

__all__ = ["ManifestFiles", "PathType", "PlaceReader", "Store"]


class Store(Backend):
    """A backend that versions of a home live in."""

    def place(self, source: Path, relative: bytes, *, adopt: bool = True) -> bytes:
        """Bring a complete local file into the store and return its place.

        Args:
            source: the file; nobody may write to it any more when it is adopted.
            relative: where to; never overwritten, PlaceExists if taken.
            adopt: a store that has links may share the file's inode; else it makes its own copy.
        """
        self.put(source, relative)
        return relative

    def sync(self, places: Collection[bytes]) -> None:
        """Return when the bytes at these places, and their names, will survive a crash."""

    def places(self, under: bytes = b"") -> Iterator[bytes]:
        """Yield every place, or those in one directory, at any depth. Manifests are none."""
        return (listed.key for listed in self.list(under))

    def claim(self, directory: bytes) -> AbstractContextManager[None]:
        """Keep everybody from taking a directory of places for what a dead process left, while the context lasts.

        The claim ends with this process, however it ends. Nobody looks for that but in directories of this machine.
        """
        check_relative_path(directory)
        return nullcontext()

    def check_there(self) -> None:
        """Raise StoreError if the root does not bear its mark, as when its disk is not mounted."""

    def numbered(self, artifact: str, following: int) -> None:
        """Remember the next number of an artifact, before a version gets the one before. See `artfs.stores.history`."""

    def committed(self, uuid: str, row: int) -> None:
        """Remember the newest version, after its rows were committed."""

    @property
    def manifest_files(self) -> ManifestFiles | None:
        """The manifests of the versions whose folders are here; None for a store that keeps none."""
        return None


class ManifestFiles(ABC):
    """The manifests in a store, one in the folder of each version; see `artfs.stores.manifest`."""

    @abstractmethod
    def prepare(self, folder: bytes) -> None:
        """Make the directory for the manifest of a version's folder, so that it becomes durable with that."""

    @abstractmethod
    def write(self, folder: bytes, pieces: Iterable[bytes], *, durable: bool) -> bytes:
        """Put a manifest into the folder of a version, whole, in the place of the one before; return its path.

        Args:
            folder: relative to the root.
            pieces: its bytes.
            durable: return when it is on stable storage, if the directory for it already is.
        """

    @abstractmethod
    def open(self, folder: bytes) -> IO[bytes] | None:
        """Open the manifest in the folder of a version; None if there is none.

        Raises ManifestInvalid if something that is no file is in its place.
        """
