"""Stubs: what stands in the working directory for a file whose bytes a version holds.

A sealed file's data inode belongs to the store. In its place the working directory gets a stub: a sparse file of the
same size with a mode, times, owner and links of its own, and the blob's digest in an extended attribute. Whatever the
user does to the draft's file afterwards reaches the stub and never the version.

The attribute's value is the bare 32 bytes of the digest, so that ext4 keeps it inside a 256-byte inode.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from artfs.content.digest import Digest

BLOB = b"user.artfs.blob"
"""Attribute of a stub: the digest of the blob that holds its bytes."""

UNFINISHED = b"user.artfs.unfinished"
"""Attribute of a file that is open for writing, was when the daemon stopped, or to which a write failed."""

PRIVATE = frozenset({BLOB, UNFINISHED})


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
    os.setxattr(descriptor, UNFINISHED, why)


def clear(descriptor: int, attribute: bytes) -> None:
    """Removes one of the private attributes, whether it is there or not."""
    try:
        os.removexattr(descriptor, attribute)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise


def replace(paths: Sequence[bytes], digest: Digest, scratch: bytes) -> int:
    """Puts one stub in the place of all the hard links of a file, and returns the stub's inode number.

    Each name is replaced atomically: at any moment it is the file with its bytes, or the finished stub. `scratch` is an
    unused path on the same file system.
    """
    status = os.lstat(paths[0])
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, status.st_size)
        os.setxattr(descriptor, BLOB, digest)
        _copy_attributes(paths[0], descriptor)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o7777)
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        number = os.fstat(descriptor).st_ino
        for path in paths[1:]:
            link = scratch + b".link"
            os.link(scratch, link)
            os.rename(link, path)
        os.rename(scratch, paths[0])
    except OSError:
        os.unlink(scratch)
        raise
    finally:
        os.close(descriptor)
    return number


def _attribute(file: bytes | int, name: bytes) -> bytes | None:
    try:
        if isinstance(file, int):
            return os.getxattr(file, name)
        return os.getxattr(file, name, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def _copy_attributes(source: bytes, descriptor: int) -> None:
    for name in os.listxattr(source, follow_symlinks=False):
        if name.startswith("user.") and os.fsencode(name) not in PRIVATE:
            os.setxattr(descriptor, name, os.getxattr(source, name, follow_symlinks=False))
