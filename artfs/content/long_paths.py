"""Paths of any length. A tree may be as deep as it likes, but a system call takes no path of 4,096 bytes or more.

    with reachable(path) as at:
        os.lstat(at)

A path that is short enough is used as it is. Of a longer one the directories are opened piece by piece, and what is
left of it is reached through the last of them, by its name in /proc: so every call that takes a path will do, also
those that know of no directory descriptor (extended attributes).
"""

from __future__ import annotations

import errno
import os
from types import TracebackType

FilePath = str | bytes | os.PathLike[str]

LONGEST = 3_800
"""Bytes of a path that the kernel takes, with room for `/proc/self/fd/N/./` before it and another last name."""

_SHOWN_WHOLE = 1_000
_SHOWN_PART = 200
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class reachable:
    """A path for system calls that names what `path` names, however long that is, for the length of a `with` block.

    Its `os.path.dirname` is the directory that the file is in, and other names beside it can be reached, too.

    Args:
        path: with links on the way followed, as ever.
        directory: descriptor of the directory that a relative `path` is in. The calls need it, too; they ignore it when
            the path is not relative any more.

    Raises OSError if a directory on the way cannot be entered.
    """

    __slots__ = ("_descriptor", "_directory", "_path")

    def __init__(self, path: FilePath, directory: int | None = None) -> None:
        self._path = os.fsencode(path)
        self._directory = directory
        self._descriptor: int | None = None

    def __enter__(self) -> bytes:
        if len(self._path) <= LONGEST:
            return self._path
        steps, rest = in_pieces(self._path)
        at = self._directory
        try:
            for step in steps:
                at = os.open(step, _STEP, dir_fd=at)
                self._close()
                self._descriptor = at
        except BaseException:
            self._close()
            raise
        # With the dot even a bare name has a directory before it that is no link.
        return b"/proc/self/fd/%d/./%s" % (at or 0, rest)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._descriptor is not None:
            self._close()
            if isinstance(error, OSError) and error.filename is not None:
                error.filename = shown(self._path)  # the name in /proc means nothing to anybody

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def in_pieces(path: bytes) -> tuple[list[bytes], bytes]:
    """Divide a path into the directories to be opened one after the other, and what is left, each short enough.

    Raises OSError with ENAMETOOLONG if a single name is too long.
    """
    steps: list[bytes] = []
    start = 0
    while len(path) - start > LONGEST:
        end = path.rfind(b"/", start + 1, start + LONGEST)
        if end < 0:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), shown(path))
        steps.append(path[start:end])
        start = end
        while path[start : start + 1] == b"/":  # what is left must be relative
            start += 1
    return steps, path[start:]


def lstat(path: FilePath) -> os.stat_result:
    """Return the status of what is at a path, links not followed."""
    with reachable(path) as at:
        return os.lstat(at)


def shown(path: FilePath) -> str:
    """Return a path for people, who are not told all of a very long one."""
    text = os.fsdecode(path)
    return text if len(text) <= _SHOWN_WHOLE else f"{text[:_SHOWN_PART]}[...]{text[-_SHOWN_PART:]}"
