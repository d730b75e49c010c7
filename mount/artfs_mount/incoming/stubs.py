"""Stubs: what stands in the working directory for a file whose bytes a version holds.

A sealed file's data inode belongs to the store. In its place the working directory gets a stub: a sparse file of the
same size with a mode, times, owner and links of its own, and the blob's digest in an extended attribute. Whatever the
user does to the draft's file afterwards reaches the stub and never the version.

Stubs are made beside the working directory before there is a version, and put in place when there is one: a full disk
is met while everything can still be undone.

The attribute's value is the bare 32 bytes of the digest, so that ext4 keeps it inside a 256-byte inode.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from artfs.content.digest import Digest
from artfs.content.long_paths import lstat, reachable
from artfs.content.stubs import BLOB_ATTRIBUTE

BLOB = os.fsencode(BLOB_ATTRIBUTE)

UNFINISHED = b"user.artfs.unfinished"
"""Attribute of a file that is open for writing, was when the daemon stopped, or to which a write failed."""

PRIVATE = frozenset({BLOB, UNFINISHED})

T = TypeVar("T")


def blob_of(file: bytes | int) -> Digest | None:
    """The digest that a stub stands for, or None when the file holds its own bytes.

    `file` is a path, whose last link is not followed, or a file descriptor.
    """
    value = _attribute(file, BLOB)
    return None if value is None else Digest(value)


def unfinished(file: bytes | int) -> bytes | None:
    """Why the file's bytes may be incomplete (`open`, or the name of an error), or None."""
    return _attribute(file, UNFINISHED)


def mark_unfinished(descriptor: int, why: bytes) -> None:
    """Says, so that it survives a kill, that the file's bytes may be incomplete."""
    _despite_mode(descriptor, stat.S_IWUSR, lambda: os.setxattr(descriptor, UNFINISHED, why))


def clear(descriptor: int, attribute: bytes) -> None:
    """Removes one of the private attributes, whether it is there or not."""
    try:
        _despite_mode(descriptor, stat.S_IWUSR, lambda: os.removexattr(descriptor, attribute))
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise


@dataclass(frozen=True)
class Stub:
    """A finished stub that waits to take a file's place.

    before: the file's inode. number: the stub's own. names: where each of its links waits, and which name it will take.
    """

    before: int
    number: int
    digest: Digest
    names: tuple[tuple[bytes, bytes], ...]

    def put(self) -> None:
        """Takes the place of the file, name by name: each is the file with its bytes, or the finished stub."""
        for waiting, name in self.names:
            with reachable(name) as at:
                _rename(waiting, at)

    def discard(self) -> None:
        """Removes a stub that is not needed after all."""
        for waiting, _ in self.names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(waiting)


def make(paths: Sequence[bytes], digest: Digest, scratch: bytes) -> Stub:
    """Makes one stub for all the hard links of a file.

    paths: the file's names. scratch: an unused path on the same file system, from which others are derived.
    """
    with reachable(paths[0]) as file:
        return _made(file, paths, digest, scratch)


@contextlib.contextmanager
def times_kept(stubs: Iterable[Stub]) -> Iterator[None]:
    """Leaves the directories in which stubs are put with the times that the user's own changes gave them."""
    directories = {os.path.dirname(name) for stub in stubs for _, name in stub.names}
    before = {directory: lstat(directory) for directory in directories}
    try:
        yield
    finally:
        for directory, status in before.items():
            with reachable(directory) as at:
                os.utime(at, ns=(status.st_atime_ns, status.st_mtime_ns))


def renew(paths: Sequence[bytes], scratch: bytes) -> int:
    """Puts an empty file in the place of one, under all its names, and returns its inode; arguments as for `make`.

    Whoever has the old one open keeps that.
    """
    with reachable(paths[0]) as file:
        empty = _made(file, paths, None, scratch)
    empty.put()
    return empty.number


def _made(file: bytes, paths: Sequence[bytes], digest: Digest | None, scratch: bytes) -> Stub:
    """A stub, or an empty file where no digest is given, with the attributes of a file."""
    status = os.lstat(file)
    names = tuple((b"%s.%d" % (scratch, index), path) for index, path in enumerate(paths))
    descriptor = os.open(names[0][0], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    stub = Stub(status.st_ino, os.fstat(descriptor).st_ino, digest or Digest(b""), names)
    try:
        if digest is not None:
            os.ftruncate(descriptor, status.st_size)
            os.setxattr(descriptor, BLOB, digest)
        _copy_attributes(file, descriptor)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o7777)
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        for waiting, _ in names[1:]:
            os.link(names[0][0], waiting)
    except OSError:
        stub.discard()
        raise
    finally:
        os.close(descriptor)
    return stub


def _attribute(file: bytes | int, name: bytes) -> bytes | None:
    try:
        if isinstance(file, int):
            return os.getxattr(file, name)
        with reachable(file) as at:
            return _despite_mode(at, stat.S_IRUSR, lambda: os.getxattr(at, name, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def _copy_attributes(source: bytes, descriptor: int) -> None:
    for name in os.listxattr(source, follow_symlinks=False):
        if name.startswith("user.") and os.fsencode(name) not in PRIVATE:
            read = functools.partial(os.getxattr, source, name, follow_symlinks=False)
            os.setxattr(descriptor, name, _despite_mode(source, stat.S_IRUSR, read))


def _rename(source: bytes, target: bytes) -> None:
    _despite_mode(os.path.dirname(target), stat.S_IWUSR | stat.S_IXUSR, lambda: os.rename(source, target))


def _despite_mode(file: bytes | int, bits: int, act: Callable[[], T]) -> T:
    """Acts on a file of the daemon's own user even where the mode that the draft's owner gave it forbids that.

    Root meets no such mode. Attributes ask for it even through a descriptor that is open.
    """
    try:
        return act()
    except PermissionError:
        mode = stat.S_IMODE((os.fstat(file) if isinstance(file, int) else os.lstat(file)).st_mode)
        if mode & bits == bits:
            raise
        os.chmod(file, mode | bits)
        try:
            return act()
        finally:
            os.chmod(file, mode)
