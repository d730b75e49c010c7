"""Stores over an fsspec filesystem: what all remote flavours share.

A flavour says which filesystem (`PROTOCOL`), which schemes and which options; `client_options` turns its options into
what the client wants. The client's errors differ, and `translated` makes an OSError of each, so that the rest of artfs
has to know no client.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any, ClassVar

from artfs.errors import OutsideStore, PlaceExists, StoreError
from artfs.stores.base import PathType, PlaceReader, Store


class FsspecStore(Store):
    """A store whose file level is an fsspec filesystem.

    Args:
        root: URI.
        options: settings of the flavour.
    """

    #: The name by which fsspec knows the filesystem.
    PROTOCOL: ClassVar[str]
    #: Whether a file needs a directory to lie in; object stores have none.
    HAS_DIRECTORIES: ClassVar[bool] = True

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

    def create(self) -> None:
        # Where there are only buckets, one is never made by the way: its name may be a typing error.
        if self.HAS_DIRECTORIES:
            self.makedirs(self.root)

    def inside(self, path: PathType) -> str:
        full = super().inside(path)
        if self._has_links and not self._is_inside(os.path.realpath(self._key(full))):
            raise OutsideStore(f"'{os.fsdecode(path)}' leads out of the store at '{self.root}'", subject=full)
        return full

    # The file level.

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        file: IO[Any] = self._call("open", path, mode=mode)
        return file

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self._check_free(dst, overwrite)
        self._call("cp_file", src, dst)

    def exists(self, path: PathType) -> bool:
        return bool(self._call("exists", path))

    def glob(self, pattern: PathType) -> list[str]:
        return [uri for uri in map(self._uri, self._call("glob", pattern)) if self._may_show(uri)]

    def isdir(self, path: PathType) -> bool:
        return bool(self._call("isdir", path))

    def listdir(self, path: PathType) -> list[str]:
        key = self._key(self.inside(path))
        names = (name.rstrip("/").rpartition("/")[2] for name in self._call("ls", path, detail=False) if name != key)
        return [name for name in names if name]

    def makedirs(self, path: PathType) -> None:
        self._call("makedirs", path, exist_ok=True)

    def mkdir(self, path: PathType) -> None:
        full = self.inside(path)
        if self.exists(full):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), full)
        if self.HAS_DIRECTORIES and not self.isdir(full.rpartition("/")[0]):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), full)
        self._call("mkdir", path, create_parents=False)

    def remove(self, path: PathType) -> None:
        self._call("rm_file", path)

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self._check_free(dst, overwrite)
        self._call("mv", src, dst, recursive=self.isdir(src))

    def rmtree(self, path: PathType) -> None:
        if self.inside(path) == self.root:
            raise StoreError(f"the root of the store at '{self.root}' cannot be removed", subject=self.root)
        self._call("rm", path, recursive=True)

    def stat(self, path: PathType) -> Any:
        return self._call("info", path)

    def size(self, path: PathType) -> int | None:
        size: int | None = self._call("size", path)
        return size

    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        found = self._call("walk", top, topdown=topdown, on_error=onerror or "omit")
        for directory, directories, files in self._translating(found, self.inside(top)):
            uri = self._uri(directory)
            if self._may_show(uri):
                directories[:] = [name for name in directories if self._may_show(f"{uri}/{name}")]
                yield uri, directories, files

    # The place level.

    def place(self, source: Path, relative: bytes, *, adopt: bool = True) -> bytes:
        target = self.place_path(relative)
        if self.exists(target):
            raise PlaceExists(f"'{target}' already exists in the store", subject=target)
        if self.HAS_DIRECTORIES:
            self.makedirs(target.rpartition("/")[0])
        self._call("put_file", target, first=os.fspath(source))
        return relative

    def open_place(self, place: bytes) -> PlaceReader:
        path = self.place_path(place)
        info = self._call("info", path)
        if info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return _RangeReader(self, path, info)

    def read_range(self, path: PathType, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to before `end`, which is not past its end."""
        data: bytes = self._call("cat_file", path, start=start, end=end)
        return data

    @property
    def _has_links(self) -> bool:
        protocol = self.filesystem.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    def _call(self, operation: str, *paths: PathType, first: str | None = None, **arguments: Any) -> Any:
        """Do something with paths of the store; `first` is a local path before them."""
        full = [self.inside(path) for path in paths]
        keys = [self._key(path) for path in full]
        try:
            return getattr(self.filesystem, operation)(*([first] if first is not None else []), *keys, **arguments)
        except OSError:
            raise
        except Exception as error:
            raise self.translated(error, full[0]) from error

    def _translating(self, found: Iterable[Any], path: str) -> Iterator[Any]:
        """The same, for what a client finds bit by bit."""
        iterator = iter(found)
        while True:
            try:
                each = next(iterator)
            except StopIteration:
                return
            except OSError:
                raise
            except Exception as error:
                raise self.translated(error, path) from error
            yield each

    def _check_free(self, path: PathType, overwrite: bool) -> None:
        if not overwrite and self.exists(path):
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", self.inside(path))

    def _key(self, full: str) -> str:
        """What the filesystem calls a URI of the store."""
        key: str = self.filesystem._strip_protocol(full)
        return key

    def _uri(self, key: str) -> str:
        return self.root + key[len(self._key(self.root)) :].rstrip("/")

    def _may_show(self, uri: str) -> bool:
        return not self._has_links or self._is_inside(os.path.realpath(self._key(uri)))

    def _is_inside(self, resolved: str) -> bool:
        root = os.path.realpath(self._key(self.root))
        return resolved == root or os.path.commonpath([resolved, root]) == root


class _RangeReader(PlaceReader):
    """A place that is read by one request a range."""

    __slots__ = ("_etag", "_path", "_size", "_store")

    def __init__(self, store: FsspecStore, path: str, info: Mapping[str, Any]) -> None:
        self._store = store
        self._path = path
        self._size: int = info["size"]
        self._etag: str | None = info.get("ETag") or info.get("etag")

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
