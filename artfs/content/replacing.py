"""Files that are written piece by piece, and appear whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator

from artfs.content.files import sync_file, write_all

DRAFT = b".new"
"""What the name of a file ends with while it is written. A kill may leave it; whoever writes the file next takes it."""

_AT_ONCE = 2**20
"""Bytes of pieces that are written together."""


def write_in_place_of(name: bytes, pieces: Iterable[bytes], directory: int, *, mode: int, durable: bool) -> None:
    """Write a file of a directory anew: nobody finds it half, and at any crash there is the one before, or this one.

    Where there was none before, a crash of the machine may leave an empty one. Several may write the same file at once.

    Args:
        name: of the file.
        pieces: its bytes.
        directory: descriptor of the directory.
        mode: of the file, whatever the umask is.
        durable: return when it is on stable storage.
    """
    with _drafted(name + DRAFT, directory) as writing:
        _write_pieces(writing, pieces)
        replaces = durable and _is_there(name, directory)
        if replaces:
            sync_file(writing)
        os.fchmod(writing, mode)
        os.rename(name + DRAFT, name, src_dir_fd=directory, dst_dir_fd=directory)
        if durable and not replaces:
            sync_file(writing)  # with its name at once, which saves the disk a second commit
    if durable:
        sync_file(directory)


@contextlib.contextmanager
def _drafted(draft: bytes, directory: int) -> Iterator[int]:
    """Open an empty draft that nobody else writes; it is removed on an error."""
    writing = _own(draft, directory)
    try:
        os.ftruncate(writing, 0)
        yield writing
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=directory)
        raise
    finally:
        os.close(writing)


def _own(draft: bytes, directory: int) -> int:
    """Open a draft once nobody else writes it. The lock ends with its process, so that one left is taken up."""
    while True:
        try:
            writing = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=directory)
        except PermissionError:
            os.unlink(draft, dir_fd=directory)  # left just before it got its name, when it had its mode already
            continue
        fcntl.flock(writing, fcntl.LOCK_EX)
        # Whoever had it before may have given it its name.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(writing), os.stat(draft, dir_fd=directory, follow_symlinks=False)):
                return writing
        os.close(writing)


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
