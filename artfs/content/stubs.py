"""Stubs: files of working directories whose bytes are only in a store.

A stub is a sparse file with the digest of its content in an extended attribute. The bytes it stands for must stay in
the store for as long as it is there, whatever becomes of the versions they came from.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from artfs.content.digest import Digest
from artfs.content.files import made_readable
from artfs.content.long_paths import lstat, reachable, shown

BLOB_ATTRIBUTE = "user.artfs.blob"
"""Attribute of a stub: the bare 32 bytes of the digest of its content."""

_PASSES = 50
"""How often directories are looked at again because something in them was just made, removed or renamed."""

_TICK_NS = 20_000_000
"""Older kernels count a file's times in ticks of up to 10 ms: two changes within one look like one."""


def digests_below(directories: Iterable[bytes]) -> set[Digest]:
    """Return what the stubs in directories stand for, at any depth, while others go on renaming and making files.

    A stub that is there when this begins, and is not removed, is found wherever it is renamed to meanwhile: directories
    are listed again until none has changed since it was listed, and then all were as they were found at one moment.

    Args:
        directories: where to look; those that are not there have no stubs.

    Raises:
        TimeoutError: somebody changes directories without a pause, so that there is no such moment.
        OSError: a directory cannot be listed, so that there may be stubs in it.
    """
    look = _Look()
    pending = [_Folder(None, directory) for directory in directories]
    for _ in range(_PASSES):
        look.visit(pending)
        pending = look.changed()
        if not pending:
            return look.found
        if look.waits_for_tick:
            time.sleep(_TICK_NS / 1e9)
    raise TimeoutError(
        errno.ETIMEDOUT, "files are made or renamed in it without a pause; try again later", shown(pending[0].path)
    )


class _State(NamedTuple):
    """A directory when it was listed. settled: its times were old enough for a later change to show."""

    inode: int
    ctime_ns: int
    settled: bool


class _Folder:
    """A directory that is looked at. It knows only its own name: paths of all would fill the memory with deep trees."""

    __slots__ = ("above", "folders", "name", "state")

    def __init__(self, above: _Folder | None, name: bytes) -> None:
        self.above = above
        self.name = name
        self.folders: dict[bytes, _Folder] = {}
        self.state: _State | None = None

    @property
    def path(self) -> bytes:
        names, folder = [self.name], self.above
        while folder is not None:
            names.append(folder.name)
            folder = folder.above
        return b"/".join(reversed(names))


class _Look:
    """One look at directories and everything below."""

    def __init__(self) -> None:
        self.found: set[Digest] = set()
        self.waits_for_tick = False
        self._listed: set[_Folder] = set()

    def visit(self, folders: Iterable[_Folder]) -> None:
        """List directories, and those below that are not known yet."""
        pending = list(folders)
        while pending:
            folder = pending.pop()
            self._listed.add(folder)
            try:
                with reachable(folder.path) as at:
                    folder.state = _state(at)
                    with os.scandir(at) as entries:
                        for entry in entries:
                            if entry.is_dir(follow_symlinks=False):
                                inner = folder.folders.setdefault(entry.name, _Folder(folder, entry.name))
                                if inner not in self._listed:
                                    pending.append(inner)
                            elif entry.is_file(follow_symlinks=False):
                                self._add(entry.path)
            except (FileNotFoundError, NotADirectoryError):
                self._listed.discard(folder)

    def changed(self) -> list[_Folder]:
        """The directories that may hold other names now than when they were listed."""
        self.waits_for_tick = False
        changed = []
        for folder in self._listed:
            try:
                status = lstat(folder.path)
            except FileNotFoundError:
                changed.append(folder)
                continue
            assert folder.state is not None, "it was listed"
            if (status.st_ino, status.st_ctime_ns) != folder.state[:2]:
                changed.append(folder)
            elif not folder.state.settled:
                changed.append(folder)
                self.waits_for_tick = True
        return changed

    def _add(self, file: bytes) -> None:
        try:
            digest = _blob_of(file)
        except FileNotFoundError:
            return
        if digest is not None:
            self.found.add(digest)


def _state(directory: bytes) -> _State:
    now = time.time_ns()
    status = os.lstat(directory)
    return _State(status.st_ino, status.st_ctime_ns, abs(now - status.st_ctime_ns) > _TICK_NS)


def _blob_of(file: bytes) -> Digest | None:
    try:
        try:
            return Digest(os.getxattr(file, BLOB_ATTRIBUTE, follow_symlinks=False))
        except PermissionError:
            with made_readable(file):
                return Digest(os.getxattr(file, BLOB_ATTRIBUTE, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise
