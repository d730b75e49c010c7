"""Attributes of files in `/incoming`: size, mode, owner, times and extended attributes."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from artfs.content.long_paths import lstat, reachable
from artfs_mount.incoming import stubs
from artfs_mount.incoming.complete.events import Changed
from artfs_mount.incoming.contents import Contents
from artfs_mount.incoming.drafts import Drafts
from artfs_mount.incoming.nodes import DraftNode, DraftNodes

CONTROL_PREFIX = b"user.artfs."
"""Attributes of this name are questions and orders to the daemon, see control.py; none of them is stored."""
_VALUE_BYTES = 65_536
"""The largest value that the kernel takes."""
OF_VERSIONS = (b"id", b"digest", b"type", b"tags")
OF_VERSIONS_PREFIX = b"metadata."
"""What versions say of themselves: a copy of one may bring it along, and it is not true of the draft."""


@dataclass(frozen=True)
class AttributeChange:
    """What a setattr request wants; None leaves a thing as it is. Times in nanoseconds."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None


class FileAttributes:
    """Reads and changes attributes of the working directory's files; they are the draft's own, never a version's."""

    def __init__(self, nodes: DraftNodes, drafts: Drafts, contents: Contents) -> None:
        self._nodes = nodes
        self._drafts = drafts
        self._contents = contents

    def status(self, node: DraftNode) -> os.stat_result:
        """stat(2) of a node, also when it has been unlinked and is still open."""
        if node.unlinked:
            if node.descriptor is None:
                raise FileNotFoundError("the file has been removed")
            return os.fstat(node.descriptor.number)
        return lstat(self._nodes.path(node))

    def change(self, node: DraftNode, change: AttributeChange, pid: int) -> os.stat_result:
        """Applies a setattr request and returns the new status."""
        place, who = self._nodes.place_of(node), self._drafts.who(pid)
        if place is not None:
            self._drafts.touch(place.draft, who)
        if change.size is not None:
            self._contents.truncate(node, change.size, who)
        with self._target(node) as target:
            if change.uid is not None or change.gid is not None:
                _chown(target, -1 if change.uid is None else change.uid, -1 if change.gid is None else change.gid)
            if change.mode is not None and not stat.S_ISLNK(node.file_type):
                os.chmod(target, stat.S_IMODE(change.mode))
                node.private_but_for = None
            if change.atime_ns is not None or change.mtime_ns is not None:
                self._set_times(node, target, change)
        if place is not None:
            self._drafts.tell(place.draft, Changed(place.path, self._drafts.stamp(who)))
        return self.status(node)

    def get_attribute(self, node: DraftNode, name: bytes) -> bytes:
        """An extended attribute that a user has set."""
        if name in stubs.PRIVATE:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        with self._target(node) as target:
            return _call(os.getxattr, target, name)

    def list_attributes(self, node: DraftNode) -> list[bytes]:
        """Names of the extended attributes that users have set."""
        with self._target(node) as target:
            names = [os.fsencode(name) for name in _call(os.listxattr, target)]
        return [name for name in names if name not in stubs.PRIVATE and name.startswith(b"user.")]

    def set_attribute(self, node: DraftNode, name: bytes, value: bytes) -> None:
        """Sets a user's extended attribute; it stays with the draft and is not part of versions.

        What a version says of itself is accepted and not kept. Raises OSError (EOPNOTSUPP) for other names that are
        artfs's, (E2BIG) for what the disk has no room for beside the file's other attributes.
        """
        if _is_of_version(name):
            return
        if not name.startswith(b"user.") or name.startswith(CONTROL_PREFIX):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        with self._target(node) as target:
            try:
                _call(os.setxattr, target, name, value)
            except OSError as error:
                # ext4 says so of an attribute that is too large as well, which is no matter of the disk's room.
                if error.errno == errno.ENOSPC and _has_room(self._nodes.path_of_root):
                    raise OSError(errno.E2BIG, os.strerror(errno.E2BIG)) from error
                raise

    def remove_attribute(self, node: DraftNode, name: bytes) -> None:
        """Removes a user's extended attribute."""
        if name in stubs.PRIVATE:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        with self._target(node) as target:
            _call(os.removexattr, target, name)

    def _target(self, node: DraftNode) -> AbstractContextManager[bytes | int]:
        if node.unlinked:
            if node.descriptor is None:
                raise FileNotFoundError("the file has been removed")
            return nullcontext(node.descriptor.number)
        return reachable(self._nodes.path(node))

    def _set_times(self, node: DraftNode, target: bytes | int, change: AttributeChange) -> None:
        now = self.status(node)
        times = (
            now.st_atime_ns if change.atime_ns is None else change.atime_ns,
            now.st_mtime_ns if change.mtime_ns is None else change.mtime_ns,
        )
        if isinstance(target, int):
            os.utime(target, ns=times)
        else:
            os.utime(target, ns=times, follow_symlinks=False)


def _is_of_version(name: bytes) -> bool:
    own = name.removeprefix(CONTROL_PREFIX)
    return own != name and (own in OF_VERSIONS or own.startswith(OF_VERSIONS_PREFIX))


def _has_room(directory: bytes) -> bool:
    """Whether a disk has room for more than the largest attribute."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize > 2 * _VALUE_BYTES


def _chown(target: bytes | int, uid: int, gid: int) -> None:
    if isinstance(target, int):
        os.fchown(target, uid, gid)
    else:
        os.lchown(target, uid, gid)


def _call(function, target, *arguments):  # type: ignore[no-untyped-def]
    if isinstance(target, int):
        return function(target, *arguments)
    return function(target, *arguments, follow_symlinks=False)
