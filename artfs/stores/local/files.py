"""The operations on files below a directory of this machine: full resolved paths, compared by components."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
from collections.abc import Callable, Iterable
from typing import IO, Any, ClassVar
from urllib.parse import unquote_to_bytes

from artfs.content import files
from artfs.errors import OutsideStore, StoreError
from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.flavor import PathType
from artfs.stores.mark import FOLDER

_VERSION_FOLDER = re.compile(r"[^/]+/[0-9a-f]{32}")


class LocalFiles(BaseArtifactStore):
    """Files below a directory.

    Args:
        root: absolute path.
        name: of the store.
        id: of the store's row.
        check_there: raises StoreError if the root is not the store.
    """

    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"/"}

    def __init__(self, root: str, *, name: str, id: int | None, flavor: str, check_there: Callable[[], None]) -> None:
        super().__init__(root, id=id, name=name)
        self.flavor = flavor
        self._check_there = check_there

    @property
    def is_local(self) -> bool:
        return True

    def inside(self, path: PathType) -> str:
        text = os.fsdecode(path)
        if (plain := local_path(text)) is None:
            raise OutsideStore(f"'{text}' leads out of the store at '{self.root}'", subject=text)
        return self._checked(os.path.join(self.root, plain), text)

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        return open(self.followed(path), mode)

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self.followed(src), self.followed(dst)
        if os.path.lexists(target) and not overwrite:
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", target)
        shutil.copyfile(source, target)

    def exists(self, path: PathType) -> bool:
        return os.path.exists(self.followed(path))

    def glob(self, pattern: PathType) -> list[str]:
        plain = local_path(os.fsdecode(pattern))
        found = glob.glob(os.path.join(self.root, plain)) if plain is not None else []
        return [path for path in found if self._is_inside(os.path.realpath(path))]

    def isdir(self, path: PathType) -> bool:
        return os.path.isdir(self.followed(path))

    def listdir(self, path: PathType) -> list[str]:
        directory = self.followed(path)
        return [name for name in os.listdir(directory) if not self._is_own(directory, name)]

    def makedirs(self, path: PathType) -> None:
        os.makedirs(self.followed(path), exist_ok=True)

    def mkdir(self, path: PathType) -> None:
        os.mkdir(self.inside(path))

    def remove(self, path: PathType) -> None:
        os.remove(self.inside(path))

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self.inside(src), self.inside(dst)
        if os.path.lexists(target) and not overwrite:
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", target)
        os.replace(source, target)

    def rmtree(self, path: PathType) -> None:
        target = self.inside(path)
        if os.path.realpath(target) == os.path.realpath(self.root):
            raise StoreError(f"the root of the store at '{self.root}' cannot be removed", subject=target)
        files.remove_tree(os.fsencode(target))

    def stat(self, path: PathType) -> os.stat_result:
        return os.stat(self.followed(path))

    def size(self, path: PathType) -> int:
        return os.stat(self.followed(path)).st_size

    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[str, list[str], list[str]]]:
        for directory, directories, names in files.walk(self.followed(top), topdown, onerror):
            directories[:] = [name for name in directories if not self._is_own(directory, name)]
            yield directory, directories, names

    def followed(self, path: PathType) -> str:
        """Return the full path with all links resolved; raises OutsideStore unless it is inside the root."""
        self._check_there()
        resolved = os.path.realpath(self.inside(path))
        if not self._is_inside(resolved):
            raise OutsideStore(f"'{os.fsdecode(path)}' leads out of the store at '{self.root}'", subject=path)
        return resolved

    def _is_own(self, directory: str, name: str) -> bool:
        """Whether a name is that of a folder of artfs, in the root or in a version's folder: it is nobody's content."""
        if name != FOLDER:
            return False
        below = os.path.relpath(os.path.realpath(directory), os.path.realpath(self.root))
        return below == "." or _VERSION_FOLDER.fullmatch(below) is not None

    def _checked(self, full: str, shown: str) -> str:
        """The full path with the links of the directories above it resolved; the last name is taken as it is."""
        if "\0" in full:
            raise OutsideStore(f"{shown!r} contains a NUL byte", subject=shown)
        above, name = os.path.split(full.rstrip("/") or "/")
        resolved = os.path.realpath(full) if name in ("", ".", "..") else os.path.join(os.path.realpath(above), name)
        if os.path.normpath(full) != self.root and not self._is_inside(resolved):
            raise OutsideStore(f"'{shown}' leads out of the store at '{self.root}'", subject=shown)
        return resolved

    def _is_inside(self, resolved: str) -> bool:
        root = os.path.realpath(self.root)
        return resolved == root or os.path.commonpath([resolved, root]) == root


def local_path(path: str) -> str | None:
    """Return the local path that a path or `file://` URI names, or None for another scheme or another host."""
    if path.startswith("file://"):
        host, slash, rest = path.removeprefix("file://").partition("/")
        return os.fsdecode(unquote_to_bytes(slash + rest)) if host in ("", "localhost") else None
    return None if "://" in path and not path.startswith("/") else path
