"""A flavour that has only operations on files, as a backend.

An object is written under its own name, as not every such flavour can rename: a process that dies meanwhile leaves it
there half, and no version ever names it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from artfs.errors import PlaceExists, StoreError
from artfs.names import check_relative_path
from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.backend import Backend, Capabilities, Listed, PlaceReader, Progress, Stored, root_is_file

_CHUNK = 2**20


class AdaptedBackend(Backend):
    """A backend over the operations on files of a flavour.

    Args:
        files: whose root becomes the backend's.
    """

    def __init__(self, files: BaseArtifactStore) -> None:
        self.root = files.root
        self.options = files.options
        self.id = files.id
        self.name = files.name
        self._files = files

    def __repr__(self) -> str:
        return f"AdaptedBackend({self._files!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    @property
    def files(self) -> BaseArtifactStore:
        return self._files

    def create(self) -> None:
        if self._files.exists(self.root) and not self._files.isdir(self.root):
            raise root_is_file(self.root)
        self._files.makedirs(self.root)

    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        target = self._path(key)
        with source.open("rb") as reading:
            if self._files.exists(target):
                raise PlaceExists(f"'{target}' already exists in the store", subject=target)
            self._files.makedirs(target.rpartition("/")[0])
            try:
                with self._files.open(target, "wb") as writing:
                    count = _copy(reading, writing, progress)
                return self._arrived(target, count)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    self._files.remove(target)
                raise

    def open_place(self, key: bytes) -> PlaceReader:
        path = self._path(key)
        return FileReader(self._files.open(path, "rb"), self._files.size(path))

    def stat(self, key: bytes) -> Stored:
        path = self._path(key)
        # Some flavours answer None, or anything, for the size of what is not there.
        if not self._files.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if (size := self._files.size(path)) is not None:
            return Stored(size)
        with self.open_place(key) as reader:
            return Stored(reader.size)

    def delete(self, key: bytes) -> None:
        path = self._path(key)
        if self._files.exists(path):
            self._files.remove(path)

    def list(self, prefix: bytes = b"") -> Iterator[Listed]:
        top = self._path(prefix) if prefix else self.root
        if not self._files.isdir(top):
            return
        for directory, _, names in self._files.walk(top):
            for name in names:
                full = f"{directory.rstrip('/')}/{name}"
                key = full[len(self.root.rstrip("/")) + 1 :].encode("utf-8", "surrogateescape")
                yield Listed(key)

    def _path(self, key: bytes) -> str:
        check_relative_path(key)
        return self._files.inside(key)

    def _arrived(self, path: str, count: int) -> Stored:
        size = self._files.size(path)
        if size is not None and size != count:
            raise StoreError(f"'{path}' has {size} bytes of the {count} that were written to it", subject=path)
        return Stored(count)


class FileReader(PlaceReader):
    """A place through an ordinary file object: one reader at a time moves its position."""

    __slots__ = ("_file", "_lock", "_size")

    def __init__(self, file: IO[bytes], size: int | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._size = size if size is not None else file.seek(0, 2)

    def pread(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            pieces: list[bytes] = []
            while size > 0 and (piece := self._file.read(size)):
                pieces.append(piece)
                size -= len(piece)
            return b"".join(pieces)

    @property
    def size(self) -> int:
        return self._size

    def close(self) -> None:
        self._file.close()


def _copy(reading: IO[bytes], writing: IO[bytes], progress: Progress) -> int:
    """Copy to the end, and return how many bytes that were."""
    count = 0
    while piece := reading.read(_CHUNK):
        writing.write(piece)
        count += len(piece)
        progress(len(piece))
    return count
