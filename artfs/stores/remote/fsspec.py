"""Stores over an fsspec filesystem: what all remote flavours share.

A flavour says which filesystem (`PROTOCOL`), which schemes and which options; `client_options` turns its options into
what the client wants. The client's errors differ, and `translated` makes an OSError of each, so that the rest of artfs
has to know no client.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from artfs.errors import PlaceExists, StoreError
from artfs.names import check_relative_path
from artfs.stores.backend import Backend, Capabilities, Listed, PlaceReader, Progress, Stored, root_is_file
from artfs.stores.flavor import StoreFlavor
from artfs.stores.remote.fsspec_files import FsspecFiles


class FsspecStore(StoreFlavor, Backend):
    """A store in an fsspec filesystem.

    Args:
        root: URI.
        options: settings of the flavour.
    """

    #: The name by which fsspec knows the filesystem.
    PROTOCOL: ClassVar[str]
    #: Whether a file needs a directory to lie in; object stores have none.
    HAS_DIRECTORIES: ClassVar[bool] = True
    #: See `Capabilities`.
    ATOMIC_PUT: ClassVar[bool] = False
    CONNECTIONS: ClassVar[int] = 8

    def client_options(self) -> Mapping[str, Any]:
        """Return what the filesystem is made with."""
        return self.options

    def translated(self, error: Exception, path: str) -> OSError:
        """Return the OSError that tells an error of the client, which is none."""
        return StoreError(
            f"the artifact store '{self.name}' failed at '{path}': {type(error).__name__}: {error}", subject=path
        )

    @cached_property
    def filesystem(self) -> Any:
        """The fsspec filesystem. It lists afresh each time, as others write to the same store."""
        import fsspec

        options = {"use_listings_cache": False, "skip_instance_cache": True, **self.client_options()}
        return fsspec.filesystem(self.PROTOCOL, **options)

    @cached_property
    def files(self) -> FsspecFiles:
        """The operations on files below the root."""
        return FsspecFiles(self)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_put=self.ATOMIC_PUT, connections=self.CONNECTIONS)

    def create(self) -> None:
        # Where there are only buckets, one is never made by the way: its name may be a typing error.
        if not self.HAS_DIRECTORIES:
            return
        if self.files.exists(self.root) and not self.files.isdir(self.root):
            raise root_is_file(self.root)
        self.files.makedirs(self.root)

    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        target = self._path(key)
        if source.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), source)
        size = os.stat(source).st_size
        if self.files.exists(target):
            raise PlaceExists(f"'{target}' already exists in the store", subject=target)
        if self.HAS_DIRECTORIES:
            self.files.makedirs(target.rpartition("/")[0])
        try:
            self.files.call("put_file", target, first=os.fspath(source), callback=_callback(progress))
        except BaseException:
            # Where objects appear whole, what is there now is somebody else's.
            if not self.ATOMIC_PUT:
                self.delete(key)
            raise
        stored = self.stat(key)
        if stored.size != size:
            self.delete(key)
            raise StoreError(f"'{target}' has {stored.size} bytes of the {size} that were put there", subject=target)
        return stored

    def open_place(self, key: bytes) -> PlaceReader:
        path = self._path(key)
        return _RangeReader(self, path, self._info(path))

    def stat(self, key: bytes) -> Stored:
        info = self._info(self._path(key))
        return Stored(info["size"], _etag(info))

    def delete(self, key: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.files.remove(self._path(key))

    def list(self, prefix: bytes = b"") -> Iterator[Listed]:
        top = self._path(prefix) if prefix else self.root
        found = self.files.call("walk", top, detail=True, on_error=_raise_unless_gone)
        for directory, directories, names in self.files.translating(found, top):
            uri = self.files.uri(directory)
            for name in [name for name in directories if not self.files.may_show(f"{uri}/{name}")]:
                del directories[name]
            for name, info in names.items():
                key = f"{uri}/{name}"[len(self.root.rstrip("/")) + 1 :].encode("utf-8", "surrogateescape")
                yield Listed(key, info["size"], _etag(info))

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to before `end`, which is not past its end."""
        data: bytes = self.files.call("cat_file", path, start=start, end=end)
        return data

    def place_path(self, key: bytes) -> str:
        return self._path(key)

    def _path(self, key: bytes) -> str:
        check_relative_path(key)
        return self.files.inside(key)

    def _info(self, path: str) -> Mapping[str, Any]:
        info: Mapping[str, Any] = self.files.call("info", path)
        if info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return info


class _RangeReader(PlaceReader):
    """A place that is read by one request a range."""

    __slots__ = ("_etag", "_path", "_size", "_store")

    def __init__(self, store: FsspecStore, path: str, info: Mapping[str, Any]) -> None:
        self._store = store
        self._path = path
        self._size: int = info["size"]
        self._etag = _etag(info)

    def pread(self, offset: int, size: int) -> bytes:
        # Past the end, some servers answer with an error instead of nothing.
        end = min(offset + size, self._size)
        return self._store.read_range(self._path, offset, end) if offset < end else b""

    @property
    def size(self) -> int:
        return self._size

    @property
    def etag(self) -> str | None:
        return self._etag

    def close(self) -> None:
        """Nothing is held."""


def _etag(info: Mapping[str, Any]) -> str | None:
    return info.get("ETag") or info.get("etag")


def _raise_unless_gone(error: Exception) -> None:
    """What fails in a listing must not look like an empty directory; one that was removed meanwhile is."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _callback(progress: Progress) -> Any:
    """What fsspec tells of its progress: the bytes so far."""
    from fsspec.callbacks import Callback

    taken = 0

    def told(value: int, **_: object) -> None:
        nonlocal taken
        progress(value - taken)
        taken = value

    return Callback(hooks={"progress": lambda size, value, **more: told(value)})
