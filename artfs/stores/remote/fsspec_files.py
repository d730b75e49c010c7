"""The operations on files over an fsspec filesystem.

Clients have errors of their own, and every one that is no OSError becomes one here, so that the rest of artfs has to
know no client.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, ClassVar, Protocol

from artfs.errors import OutsideStore, StoreError
from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.flavor import PathType


class FilesystemClient(Protocol):
    """What makes a filesystem, and knows its errors: a store over fsspec."""

    root: str
    options: Mapping[str, Any]
    id: int | None
    name: str
    flavor: str
    HAS_DIRECTORIES: ClassVar[bool]

    @property
    def filesystem(self) -> Any: ...

    def translated(self, error: Exception, path: str) -> OSError: ...


class FsspecFiles(BaseArtifactStore):
    """Files of an fsspec filesystem below a root.

    Args:
        client: makes the filesystem.
    """

    def __init__(self, client: FilesystemClient) -> None:
        self.root = client.root
        self.options = client.options
        self.id = client.id
        self.name = client.name
        self.flavor = client.flavor
        self._client = client

    def inside(self, path: PathType) -> str:
        full = super().inside(path)
        if self._has_links and not self._is_inside(os.path.realpath(self.key(full))):
            raise OutsideStore(f"'{os.fsdecode(path)}' leads out of the store at '{self.root}'", subject=full)
        return full

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        file: IO[Any] = self.call("open", path, mode=mode)
        return file

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self._check_free(dst, overwrite)
        self.call("cp_file", src, dst)

    def exists(self, path: PathType) -> bool:
        return bool(self.call("exists", path))

    def glob(self, pattern: PathType) -> list[str]:
        return [uri for uri in map(self.uri, self.call("glob", pattern)) if self.may_show(uri)]

    def isdir(self, path: PathType) -> bool:
        return bool(self.call("isdir", path))

    def listdir(self, path: PathType) -> list[str]:
        key = self.key(self.inside(path))
        names = (name.rstrip("/").rpartition("/")[2] for name in self.call("ls", path, detail=False) if name != key)
        return [name for name in names if name]

    def makedirs(self, path: PathType) -> None:
        self.call("makedirs", path, exist_ok=True)

    def mkdir(self, path: PathType) -> None:
        full = self.inside(path)
        if self.exists(full):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), full)
        if self._client.HAS_DIRECTORIES and not self.isdir(full.rpartition("/")[0]):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), full)
        self.call("mkdir", path, create_parents=False)

    def remove(self, path: PathType) -> None:
        self.call("rm_file", path)

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self._check_free(dst, overwrite)
        self.call("mv", src, dst, recursive=self.isdir(src))

    def rmtree(self, path: PathType) -> None:
        if self.inside(path) == self.root:
            raise StoreError(f"the root of the store at '{self.root}' cannot be removed", subject=self.root)
        self.call("rm", path, recursive=True)

    def stat(self, path: PathType) -> Any:
        return self.call("info", path)

    def size(self, path: PathType) -> int | None:
        size: int | None = self.call("size", path)
        return size

    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        found = self.call("walk", top, topdown=topdown, on_error=onerror or "omit")
        for directory, directories, files in self.translating(found, self.inside(top)):
            uri = self.uri(directory)
            if self.may_show(uri):
                directories[:] = [name for name in directories if self.may_show(f"{uri}/{name}")]
                yield uri, directories, files

    def call(self, operation: str, *paths: PathType, first: str | None = None, **arguments: Any) -> Any:
        """Do something with paths of the store; `first` is a local path before them."""
        full = [self.inside(path) for path in paths]
        keys = [self.key(path) for path in full]
        try:
            return getattr(self._client.filesystem, operation)(
                *([first] if first is not None else []), *keys, **arguments
            )
        except OSError:
            raise
        except Exception as error:
            raise self._client.translated(error, full[0]) from error

    def translating(self, found: Iterable[Any], path: str) -> Iterator[Any]:
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
                raise self._client.translated(error, path) from error
            yield each

    def key(self, full: str) -> str:
        """What the filesystem calls a URI of the store."""
        key: str = self._client.filesystem._strip_protocol(full)
        return key

    def uri(self, key: str) -> str:
        """The URI of what the filesystem calls `key`."""
        return self.root + key[len(self.key(self.root)) :].rstrip("/")

    def may_show(self, uri: str) -> bool:
        """Whether what is at a URI of the store lies in it: a link may lead elsewhere."""
        return not self._has_links or self._is_inside(os.path.realpath(self.key(uri)))

    def _check_free(self, path: PathType, overwrite: bool) -> None:
        if not overwrite and self.exists(path):
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", self.inside(path))

    @property
    def _has_links(self) -> bool:
        protocol = self._client.filesystem.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    def _is_inside(self, resolved: str) -> bool:
        root = os.path.realpath(self.key(self.root))
        return resolved == root or os.path.commonpath([resolved, root]) == root
