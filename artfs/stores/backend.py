"""The narrow side of a store: objects that are put once under a key, read by range, listed and deleted.

A key is a relative path, as bytes. A backend says what it can do (`capabilities`), and which of its errors may pass by
themselves (`is_transient`); how long a request may take, and what is tried again, is not its business: see
`artfs.stores.remote.deadline`.

restic's `Backend` is the model.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.errors import InvalidValue
from artfs.names import check_relative_path

if TYPE_CHECKING:
    from artfs.stores.artifact_store import BaseArtifactStore

Progress = Callable[[int], None]
"""Told how many more bytes a store has taken, as it takes them."""

_TRANSIENT = frozenset(
    getattr(errno, name)
    for name in (
        "EAGAIN", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "EINTR", "ENETDOWN",
        "ENETRESET", "ENETUNREACH", "ENOTCONN", "EPIPE", "ETIMEDOUT",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do.

    Args:
        is_local: the root is a directory of this machine: files can be opened, linked and mapped, and no request of it
            needs a deadline.
        links: a file that is brought in may stay the same inode.
        atomic_put: an object is there whole or not at all, whatever happens while it is put.
        connections: how many requests it serves well at once.
        checksum: the algorithm of the checksums that it tells, or None where it tells none.
    """

    is_local: bool = False
    links: bool = False
    atomic_put: bool = False
    connections: int = 8
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What a backend says of an object.

    Args:
        size: its bytes.
        etag: the version of its content, where the backend names one.
        checksum: of its content, by the algorithm that the capabilities name.
    """

    size: int
    etag: str | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing.

    Args:
        key: where it is.
        size: its bytes, where the listing tells them.
        etag: as for `Stored`.
    """

    key: bytes
    size: int | None = None
    etag: str | None = None


def root_is_file(root: str) -> InvalidValue:
    """Return the error for a root where a file is."""
    return InvalidValue(f"'{root}' is a file: an artifact store needs a directory", subject=root)


class PlaceReader(ABC):
    """An open place. Many threads may read at once."""

    __slots__ = ()

    @abstractmethod
    def pread(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from byte `offset`; fewer only at the end."""

    def pread_at_once(self, offset: int, size: int) -> bytes | None:
        """Return what `pread` does if this machine has it in memory; None where it would have to be waited for."""
        return None

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that are there now."""

    @property
    def mtime_ns(self) -> int | None:
        """When they were last changed, where the store can tell."""
        return None

    @property
    def stamp(self) -> object | None:
        """What is different after any change of the bytes, where the store can tell that for certain."""
        return None

    @property
    def etag(self) -> str | None:
        """What the store says the content's version is, where it does."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Give back what the reader holds."""

    def __enter__(self) -> PlaceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Backend(ABC):
    """Where the bytes of a store are. Many threads may use it."""

    root: str
    options: Mapping[str, Any]
    id: int | None
    name: str

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What it can do."""

    @property
    @abstractmethod
    def files(self) -> BaseArtifactStore:
        """The operations on files below the same root, for people and for `artfs.io.fileio`."""

    @abstractmethod
    def create(self) -> None:
        """Make the root if it is not there. Raises InvalidValue if it is a file."""

    @abstractmethod
    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        """Copy a complete local file into the backend; it survives a crash when this returns.

        Args:
            source: the file.
            key: where to.
            progress: told of bytes that were taken.

        Raises:
            PlaceExists: something is there already; nothing is ever overwritten.
            InvalidName, OutsideStore: the key leads out of the root.
        """

    @abstractmethod
    def open_place(self, key: bytes) -> PlaceReader:
        """Open an object for reading by range. Raises FileNotFoundError if it is not there."""

    @abstractmethod
    def stat(self, key: bytes) -> Stored:
        """Return what is known of an object. Raises FileNotFoundError if it is not there."""

    @abstractmethod
    def delete(self, key: bytes) -> None:
        """Remove an object, and directories above that this leaves empty; fine if it is gone already."""

    @abstractmethod
    def list(self, prefix: bytes = b"") -> Iterator[Listed]:
        """Yield every object, or those below a key, in any order; none where nothing is."""

    def is_transient(self, error: OSError) -> bool:
        """Whether what failed may work when it is tried again, with nobody doing anything about it."""
        return isinstance(error, ConnectionError | TimeoutError) or error.errno in _TRANSIENT

    @property
    def path(self) -> str:
        """The root."""
        return self.root

    @property
    def is_local(self) -> bool:
        """Whether the root is a directory of this machine."""
        return self.capabilities.is_local

    def place_path(self, key: bytes) -> str:
        """Return the full path or URI of an object, for people."""
        check_relative_path(key)
        return f"{self.root.rstrip('/')}/{key.decode('utf-8', 'surrogateescape')}"

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what it holds."""
