"""The operations on files that artifact stores have, for any path or URI.

A path in a registered store is served by that store, which lets nothing leave its root; other local paths (temporary
files, say) are plain files. What belongs to a version can be read and never changed.

    from artfs.client import Client
    from artfs.io import fileio

    root = Client().active_stack.artifact_store.path
    fileio.makedirs(os.path.join(root, "examples"))
    with fileio.open(os.path.join(root, "examples", "test.txt"), "w") as file:
        file.write("example artifact")
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from typing import IO, Any

from artfs.errors import StoreError
from artfs.io.locate import Located, locate
from artfs.io.plain import PlainFiles
from artfs.stores.flavor import PathType

__all__ = [
    "convert_to_str",
    "copy",
    "copyfile",
    "exists",
    "glob",
    "isdir",
    "listdir",
    "makedirs",
    "mkdir",
    "open",
    "remove",
    "rename",
    "rmtree",
    "size",
    "stat",
    "walk",
]

_CHUNK = 2**20


def open(path: PathType, mode: str = "r") -> IO[Any]:
    """Open a file, as the builtin does.

    Raises:
        OutsideStore: the path leads out of the store that it begins in.
        ReadOnly: it is to be written, and belongs to a version.
        StoreError: it is a URI in no registered store.
    """
    at = locate(path)
    if set(mode) & set("wax+"):
        at.check_writable()
    return at.tell_read().files.open(at.path, mode)


def copy(src: PathType, dst: PathType, overwrite: bool = False) -> None:
    """Copy a file, also from one store to another, or to or from a file outside of all stores.

    Args:
        src, dst: path or URI.
        overwrite: whether a file at `dst` may be replaced. An empty one outside of stores may be in any case: it is
            what `tempfile.NamedTemporaryFile` makes to be written to.

    Raises:
        FileExistsError: a file is at `dst`.
        OutsideStore, ReadOnly, StoreError: as for `open`.
    """
    source, target = locate(src).tell_read(), locate(dst).check_writable()
    if source.is_in_same(target):
        source.files.copyfile(source.path, target.path, overwrite)
        return
    _check_free(target, overwrite)
    with source.files.open(source.path, "rb") as reading, target.files.open(target.path, "wb") as writing:
        shutil.copyfileobj(reading, writing, _CHUNK)


copyfile = copy


def exists(path: PathType) -> bool:
    """Return whether something is there."""
    at = locate(path)
    return at.files.exists(at.path)


def glob(pattern: PathType) -> list[str]:
    """Return the full paths that match a shell pattern."""
    at = locate(pattern, follow=False)
    return at.files.glob(at.path)


def isdir(path: PathType) -> bool:
    """Return whether a directory is there."""
    at = locate(path)
    return at.files.isdir(at.path)


def listdir(path: PathType) -> list[str]:
    """Return the names in a directory."""
    at = locate(path)
    return at.files.listdir(at.path)


def makedirs(path: PathType) -> None:
    """Make a directory and those above it; fine if it is there."""
    at = locate(path).check_writable()
    at.files.makedirs(at.path)


def mkdir(path: PathType) -> None:
    """Make a directory in an existing one; FileExistsError if it is there."""
    at = locate(path, follow=False).check_writable()
    at.files.mkdir(at.path)


def remove(path: PathType) -> None:
    """Remove a file; FileNotFoundError if there is none."""
    at = locate(path, follow=False).check_writable()
    at.files.remove(at.path)


def rename(src: PathType, dst: PathType, overwrite: bool = False) -> None:
    """Give a file or directory another path in the same store, or outside of all stores.

    Raises:
        FileExistsError: something is at `dst`, and `overwrite` is False.
        StoreError: the two paths are not in the same store.
        OutsideStore, ReadOnly: as for `open`.
    """
    source = locate(src, follow=False).check_writable(whole=True)
    target = locate(dst, follow=False).check_writable(whole=True)
    if not source.is_in_same(target):
        raise StoreError(
            f"'{source.path}' cannot be renamed to '{target.path}': they are in different stores; copy it, then"
            " remove it",
            subject=source.path,
        )
    source.files.rename(source.path, target.path, overwrite)


def rmtree(path: PathType) -> None:
    """Remove a directory and everything in it.

    Raises:
        StoreError: it is, or holds, the root of a store.
        OutsideStore, ReadOnly: as for `open`.
    """
    at = locate(path, follow=False).check_writable(whole=True)
    at.files.rmtree(at.path)


def stat(path: PathType) -> Any:
    """Return what is known about a path: `os.stat_result` for local files, a mapping for others."""
    at = locate(path)
    return at.files.stat(at.path)


def size(path: PathType) -> int | None:
    """Return a file's bytes, or None where the store cannot tell."""
    at = locate(path)
    return at.files.size(at.path)


def walk(
    top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield (directory, names of directories, names of files) for `top` and all below, as `os.walk` does."""
    at = locate(top)
    shown = convert_to_str(top)
    for directory, directories, files in at.files.walk(at.path, topdown, onerror):
        # Below the path that was asked for, even if that leads there through a link.
        yield shown + directory[len(at.path.rstrip("/")) :], directories, files


def convert_to_str(path: PathType) -> str:
    """Return a path as text."""
    return os.fsdecode(path)


def _check_free(target: Located, overwrite: bool) -> None:
    if isinstance(target.files, PlainFiles):
        target.files.check_free(target.path, overwrite)
    elif not overwrite and target.files.exists(target.path):
        raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", target.path)
