"""Names in `/incoming`: look up, list, make, link, rename and remove, over the working directory.

All of it runs on the event loop's thread; each call is a few system calls on a local disk.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from artfs.content.files import sync_directory
from artfs.content.long_paths import lstat, reachable
from artfs.errors import InvalidName
from artfs.names import check_artifact_name
from artfs_mount.incoming import stubs
from artfs_mount.incoming.complete.events import Linked, Made, Removed
from artfs_mount.incoming.complete.names import is_temporary
from artfs_mount.incoming.drafts import Drafts, Who
from artfs_mount.incoming.nodes import DraftNode, DraftNodes

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """The directory operations of `/incoming`. `uid`/`gid` arguments are the caller's, who will own what is made."""

    def __init__(self, nodes: DraftNodes, drafts: Drafts) -> None:
        self._nodes = nodes
        self._drafts = drafts
        self._is_root = os.geteuid() == 0

    def lookup(self, parent: DraftNode, name: bytes) -> tuple[DraftNode, os.stat_result]:
        """What stands at a name. Raises FileNotFoundError."""
        status = lstat(self._nodes.child_path(parent, name))
        return self._nodes.at(parent, name, status), status

    def list(self, directory: DraftNode) -> list[bytes]:
        """The names in a directory, at one moment."""
        with reachable(self._nodes.path(directory)) as at:
            return os.listdir(at)

    def read_link(self, link: DraftNode) -> bytes:
        """Where a link leads."""
        with reachable(self._nodes.path(link)) as at:
            return os.readlink(at)

    def sync_directory(self, path: bytes) -> None:
        """Puts a directory's entries on stable storage. For a worker thread."""
        with reachable(path) as at:
            sync_directory(at)

    def make_directory(self, parent: DraftNode, name: bytes, mode: int, uid: int, gid: int, pid: int) -> DraftNode:
        who = self._drafts.who(pid)
        with self._about_to_make(parent, name, who) as path:
            os.mkdir(path, mode & 0o7777)
            return self._made(parent, name, path, uid, gid, who)

    def make_link(self, parent: DraftNode, name: bytes, target: bytes, uid: int, gid: int, pid: int) -> DraftNode:
        self._check_registers(parent, uid)
        who = self._drafts.who(pid)
        with self._about_to_make(parent, name, who) as path:
            os.symlink(target, path)
            return self._made(parent, name, path, uid, gid, who)

    def make_special(self, parent: DraftNode, name: bytes, mode: int, uid: int, gid: int, pid: int) -> DraftNode:
        """A file without opening it, a FIFO or a socket. Devices are refused: the mount is `nodev`."""
        if stat.S_IFMT(mode) not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK):
            raise PermissionError(errno.EPERM, "devices cannot be made here")
        who = self._drafts.who(pid)
        with self._about_to_make(parent, name, who) as path:
            os.mknod(path, mode)
            return self._made(parent, name, path, uid, gid, who)

    def make_file(
        self, parent: DraftNode, name: bytes, flags: int, mode: int, uid: int, gid: int, pid: int
    ) -> tuple[DraftNode, int]:
        """Makes and opens a file; returns its node and a descriptor that can read and write."""
        who = self._drafts.who(pid)
        with self._about_to_make(parent, name, who) as path:
            descriptor = _new_file(path, flags, mode & 0o7777)
            return self._made(parent, name, path, uid, gid, who), descriptor

    def hard_link(self, node: DraftNode, parent: DraftNode, name: bytes, pid: int) -> DraftNode:
        """One more name for a file, within its draft: two drafts never share a file that can still change."""
        origin, place, who = self._nodes.place_of(node), self._nodes.place_in(parent, name), self._drafts.who(pid)
        if origin is None or origin.draft != place.draft:
            raise OSError(errno.EXDEV, "hard links stay within a draft")
        with reachable(self._nodes.path(node)) as source, self._about_to_make(parent, name, who) as target:
            os.link(source, target, follow_symlinks=False)
        self._nodes.link(node, parent, name)
        self._drafts.tell(place.draft, Linked(place.path, self._drafts.stamp(who), origin.path))
        return node

    def remove(self, parent: DraftNode, name: bytes, pid: int) -> None:
        """Removes a file or link. Open handles keep it until they are closed; versions never notice."""
        who = self._drafts.who(pid)
        with reachable(self._nodes.child_path(parent, name)) as path:
            status = os.lstat(path)
            self._drafts.touch(self._draft_at(parent, name), who)
            os.unlink(path)
        self._gone(parent, name, status, who)

    def remove_directory(self, parent: DraftNode, name: bytes, pid: int) -> None:
        """Removes an empty directory."""
        who = self._drafts.who(pid)
        with reachable(self._nodes.child_path(parent, name)) as path:
            status = os.lstat(path)
            self._drafts.touch(self._draft_at(parent, name), who)
            os.rmdir(path)
        self._gone(parent, name, status, who)

    def rename(
        self,
        parent: DraftNode,
        name: bytes,
        new_parent: DraftNode,
        new_name: bytes,
        flags: int,
        pid: int,
        uid: int | None = None,
    ) -> None:
        """Renames, within a draft, between drafts, or a draft itself. uid: the caller's; the daemon's own when None."""
        self._check_draft_name(new_parent, new_name)
        old_path = self._nodes.child_path(parent, name)
        new_path = self._nodes.child_path(new_parent, new_name)
        status = lstat(old_path)
        replaced = _status(new_path)
        if replaced is not None and replaced.st_ino == status.st_ino:
            return
        for moved, directory in ((status, new_parent), (replaced if flags & RENAME_EXCHANGE else None, parent)):
            if moved is not None and stat.S_ISREG(moved.st_mode) and self._drafts.pins.links(moved) > 1:
                self._stay_within_draft(parent, name, new_parent, new_name)
            if moved is not None and stat.S_ISLNK(moved.st_mode):
                self._check_registers(directory, uid)
        node = self._nodes.at(parent, name, status)
        other = self._nodes.at(new_parent, new_name, replaced) if replaced and flags & RENAME_EXCHANGE else None
        old, new = self._nodes.place_in(parent, name), self._nodes.place_in(new_parent, new_name)
        who = self._drafts.who(pid)
        for draft in (old.draft, new.draft):
            self._drafts.touch(draft, who)
        with reachable(old_path) as source, reachable(new_path) as target:
            _rename(source, target, flags)
            if node.private_but_for is not None and is_temporary(name) and not is_temporary(new_name):
                # safetensors and others only forget to give it the mode that it would have had at once.
                os.chmod(target, 0o666 & ~node.private_but_for)
                node.private_but_for = None
        if replaced is not None and other is None:
            self._gone(new_parent, new_name, replaced, who, draft_stays=True)
        self._nodes.unlink(node, parent, name, last=False)
        self._nodes.link(node, new_parent, new_name)
        if other is not None:
            self._nodes.unlink(other, new_parent, new_name, last=False)
            self._nodes.link(other, parent, name)
        exchanged = None if other is None else other.is_directory
        self._drafts.moved(old, new, who, directory=node.is_directory, exchanged=exchanged)
        if other is None and parent is self._nodes.root:
            self._drafts.renamed(old.draft, new.draft)

    def _about_to_make(self, parent: DraftNode, name: bytes, who: Who) -> reachable:
        self._check_draft_name(parent, name)
        path = self._nodes.child_path(parent, name)
        self._drafts.touch(self._draft_at(parent, name), who)
        return reachable(path)

    def _made(self, parent: DraftNode, name: bytes, path: bytes, uid: int, gid: int, who: Who) -> DraftNode:
        place = self._nodes.place_in(parent, name)
        self._drafts.tell(place.draft, Made(place.path, self._drafts.stamp(who)))
        if self._is_root and (uid, gid) != (0, 0):
            owner = -1 if os.stat(os.path.dirname(path)).st_mode & stat.S_ISGID else gid
            os.chown(path, uid, owner, follow_symlinks=False)
        return self._nodes.at(parent, name, os.lstat(path))

    def _gone(
        self, parent: DraftNode, name: bytes, status: os.stat_result, who: Who, *, draft_stays: bool = False
    ) -> None:
        place = self._nodes.place_in(parent, name)
        node = self._nodes.known(status.st_ino)
        last = stat.S_ISDIR(status.st_mode) or self._drafts.pins.links(status) == 1
        if last and not self._drafts.pins.holds(status.st_ino):
            self._drafts.digests.pop(status.st_ino, None)
        also = None
        if node is not None:
            self._nodes.unlink(node, parent, name, last=last)
            also = self._nodes.place_of(node)
            self._nodes.release_if_unused(node)
        self._drafts.tell(place.draft, Removed(place.path, self._drafts.stamp(who), last, also and also.path))
        if parent is self._nodes.root and not draft_stays:
            self._drafts.remove(name)

    def _draft_at(self, parent: DraftNode, name: bytes) -> bytes:
        return self._nodes.place_in(parent, name).draft

    def _check_registers(self, parent: DraftNode, uid: int | None) -> None:
        """Refuses links that a daemon would follow with rights that their maker lacks: root's alone can take on his."""
        if parent is self._nodes.root and not self._is_root and uid not in (None, 0, os.geteuid()):
            raise PermissionError(errno.EPERM, "this daemon registers only what its own user links to; copy it instead")

    def _check_draft_name(self, parent: DraftNode, name: bytes) -> None:
        if parent is not self._nodes.root:
            if name.startswith(b".artfs") and parent.links and parent.links[0][0] is self._nodes.root:
                raise InvalidName(f"{name!r}: names that start with .artfs are the version's own", subject=name)
            return
        try:
            check_artifact_name(name.decode("utf-8"))
        except UnicodeDecodeError:
            raise InvalidName(
                f"{name!r}: the name of a draft becomes an artifact's and must be UTF-8", subject=name
            ) from None

    def _stay_within_draft(self, parent: DraftNode, name: bytes, new_parent: DraftNode, new_name: bytes) -> None:
        if self._draft_at(parent, name) != self._draft_at(new_parent, new_name):
            raise OSError(errno.EXDEV, "a file with hard links stays within its draft")


def _new_file(path: bytes, flags: int, mode: int) -> int:
    """Makes a file that gets its name only when it is marked as unfinished.

    So a kill never leaves an empty file that looks whole. Another program may make it at the same moment; then that
    one is opened, unless `flags` ask for a new one.
    """
    parent, name = os.path.split(path)
    directory = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode, dir_fd=directory)
        try:
            stubs.mark_unfinished(descriptor, b"open")
            # The descriptor for the directory makes this linkat(2): link(2) would not follow the link in /proc.
            os.link(b"/proc/self/fd/%d" % descriptor, name, dst_dir_fd=directory, follow_symlinks=True)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
    except OSError as error:
        if error.errno == errno.EEXIST and not flags & os.O_EXCL:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
        # This file system has no files without names. The draft's record still says that it was being changed.
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags & os.O_EXCL, mode)
    finally:
        os.close(directory)


def _status(path: bytes) -> os.stat_result | None:
    try:
        return lstat(path)
    except FileNotFoundError:
        return None


def _rename(source: bytes, target: bytes, flags: int) -> None:
    """rename(2), or renameat2(2) where flags ask for it: Python has no name for that one."""
    if not flags:
        os.rename(source, target)
        return
    here = ctypes.c_int(-100)  # AT_FDCWD
    if _libc.renameat2(here, ctypes.c_char_p(source), here, ctypes.c_char_p(target), ctypes.c_uint(flags)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
