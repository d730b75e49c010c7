"""Files of this machine that are in no artifact store, with the operations that stores have."""

from __future__ import annotations

import builtins
import errno
import glob
import os
import shutil
from collections.abc import Callable, Iterable
from typing import IO, Any

from artfs.content.files import remove_tree, walk
from artfs.stores.flavor import PathType


class PlainFiles:
    """The file system of this machine, as everybody else sees it."""

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        file: IO[Any] = builtins.open(_text(path), mode)  # noqa: SIM115 - the caller closes it
        return file

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self.check_free(dst, overwrite)
        shutil.copyfile(_text(src), _text(dst))

    def exists(self, path: PathType) -> bool:
        return os.path.exists(_text(path))

    def glob(self, pattern: PathType) -> list[str]:
        return glob.glob(_text(pattern))

    def isdir(self, path: PathType) -> bool:
        return os.path.isdir(_text(path))

    def listdir(self, path: PathType) -> list[str]:
        return os.listdir(_text(path))

    def makedirs(self, path: PathType) -> None:
        os.makedirs(_text(path), exist_ok=True)

    def mkdir(self, path: PathType) -> None:
        os.mkdir(_text(path))

    def remove(self, path: PathType) -> None:
        os.remove(_text(path))

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        self.check_free(dst, overwrite)
        os.replace(_text(src), _text(dst))

    def rmtree(self, path: PathType) -> None:
        remove_tree(os.fsencode(path))

    def stat(self, path: PathType) -> os.stat_result:
        return os.stat(_text(path))

    def size(self, path: PathType) -> int | None:
        return os.stat(_text(path)).st_size

    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[str, list[str], list[str]]]:
        return walk(_text(top), topdown, onerror)

    def check_free(self, path: PathType, overwrite: bool) -> None:
        """Raise FileExistsError if writing to `path` would lose something.

        An empty file loses nothing: it is what `tempfile.NamedTemporaryFile` makes to be written to.
        """
        target = _text(path)
        if not overwrite and os.path.lexists(target) and not (os.path.isfile(target) and not os.path.getsize(target)):
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", target)


def _text(path: PathType) -> str:
    return os.fsdecode(path)
