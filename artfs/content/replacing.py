"""Files that are written piece by piece, and appear whole."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterable

from artfs.content.files import sync_file, write_all

_AT_ONCE = 2**20
"""Bytes of pieces that are written together."""


def write_in_place_of(name: bytes, pieces: Iterable[bytes], directory: int, *, mode: int, durable: bool) -> None:
    """Write a file of a directory anew: nobody finds it half, and at any crash there is the one before, or this one.

    Where there was none before, a crash of the machine may leave an empty one.

    Args:
        name: of the file.
        pieces: its bytes.
        directory: descriptor of the directory.
        mode: of the file, whatever the umask is.
        durable: return when it is on stable storage.
    """
    draft = b".artfs-write-" + uuid.uuid4().hex.encode()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    writing = os.open(draft, flags, mode & stat.S_IRWXU, dir_fd=directory)
    try:
        try:
            if stat.S_IMODE(os.fstat(writing).st_mode) != mode:
                os.fchmod(writing, mode)
            _write_pieces(writing, pieces)
            replaces = durable and _is_there(name, directory)
            if replaces:
                sync_file(writing)
            os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
            if durable and not replaces:
                sync_file(writing)  # with its name at once, which saves the disk a second commit
        finally:
            os.close(writing)
    except BaseException:
        _remove(draft, directory)
        raise
    if durable:
        sync_file(directory)


def _write_pieces(descriptor: int, pieces: Iterable[bytes]) -> None:
    """Write pieces, many small ones at a time."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _AT_ONCE:
            write_all(descriptor, waiting)
            waiting.clear()
    write_all(descriptor, waiting)


def _is_there(name: bytes, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove(name: bytes, directory: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
