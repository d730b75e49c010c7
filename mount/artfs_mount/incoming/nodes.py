"""The node table: which file of the working directory a FUSE inode means.

Frameworks rename files while they are open and unlink files that they go on reading, so everything is tracked by inode,
never by path. A node lives as long as the kernel remembers it, a handle is open on it, or a child points at it.
Only the event loop's thread touches the table.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator

from artfs.content.digest import Digest
from artfs_mount.incoming import stubs
from artfs_mount.incoming.complete.events import DraftPath
from artfs_mount.incoming.hashing import BackgroundHasher
from artfs_mount.tree.inode import INCOMING_ROOT, incoming_inode

SPARE = 1 << 55
"""Inodes on disk below this are shown as they are; some file systems that are stacked on others use the bits above."""


class Descriptor:
    """A file descriptor that is closed when its last user lets go of it.

    A worker thread may be in the middle of a read when the event loop replaces a node's descriptor; its reference keeps
    the number from being used again under it.
    """

    __slots__ = ("number", "writable")

    def __init__(self, number: int, *, writable: bool) -> None:
        self.number = number
        self.writable = writable

    def __del__(self) -> None:
        os.close(self.number)


class DraftNode:
    """One file, directory or link of the working directory, as the kernel knows it.

    number: the FUSE inode, the same for as long as the node lives. backing: the inode on disk, which changes when a
    stub takes the file's place. links: the (parent, name) pairs under which it is known; none once it is unlinked.
    blob: the digest when the file is a stub. writers: open handles that may write. failure: why a write failed, by the
    error's name (ENOSPC). private_but_for: the umask of who made it 0600, as makers of temporary files do, until
    somebody sets its mode.
    """

    __slots__ = (
        "backing",
        "blob",
        "children",
        "descriptor",
        "failure",
        "file_type",
        "hasher",
        "links",
        "lock",
        "lookups",
        "number",
        "opens",
        "private_but_for",
        "writers",
    )

    def __init__(self, number: int, backing: int, file_type: int) -> None:
        self.number = number
        self.backing = backing
        self.file_type = file_type
        self.links: list[tuple[DraftNode, bytes]] = []
        self.lookups = 0
        self.children = 0
        self.opens = 0
        self.writers = 0
        self.blob: Digest | None = None
        self.descriptor: Descriptor | None = None
        self.hasher: BackgroundHasher | None = None
        self.failure: str | None = None
        self.lock: threading.Lock | None = None
        self.private_but_for: int | None = None

    @property
    def is_directory(self) -> bool:
        return self.file_type == stat.S_IFDIR

    @property
    def is_file(self) -> bool:
        return self.file_type == stat.S_IFREG

    @property
    def unlinked(self) -> bool:
        return not self.links and self.number != INCOMING_ROOT


class DraftNodes:
    """All nodes that are in use.

    root: path of the working directory. Inodes are the backing inode's number where that is free, so that they are
    mostly the same after a remount, else a number that no file system uses.
    """

    def __init__(self, root: bytes) -> None:
        self.path_of_root = root
        status = os.stat(root)
        self.device = status.st_dev
        self.root = DraftNode(INCOMING_ROOT, status.st_ino, stat.S_IFDIR)
        self.root.lookups = 1
        self._by_number: dict[int, DraftNode] = {INCOMING_ROOT: self.root}
        self._by_backing: dict[int, DraftNode] = {status.st_ino: self.root}
        self._spare = SPARE

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[DraftNode]:
        return iter(list(self._by_number.values()))

    def get(self, number: int) -> DraftNode:
        """The node of an inode that the kernel has been told of."""
        return self._by_number[number]

    def known(self, backing: int) -> DraftNode | None:
        """The node of a file of the working directory, if it is in use."""
        return self._by_backing.get(backing)

    def at(self, parent: DraftNode, name: bytes, status: os.stat_result) -> DraftNode:
        """The node for what stands at a name, made or found by its inode on disk."""
        node = self._by_backing.get(status.st_ino)
        if node is None:
            node = self._add(status)
            if node.is_file:
                node.blob = stubs.blob_of(self.child_path(parent, name))
        if (parent, name) not in node.links:
            self.link(node, parent, name)
        return node

    def link(self, node: DraftNode, parent: DraftNode, name: bytes) -> None:
        """Remembers one more name of a node."""
        node.links.append((parent, name))
        parent.children += 1

    def unlink(self, node: DraftNode, parent: DraftNode, name: bytes, *, last: bool) -> None:
        """Forgets a name of a node. `last`: it was the file's last name on disk, so its inode may be used anew."""
        if (parent, name) in node.links:
            node.links.remove((parent, name))
            parent.children -= 1
        if last and self._by_backing.get(node.backing) is node:
            del self._by_backing[node.backing]

    def cut_off(self, draft: bytes) -> None:
        """Forgets the names of all nodes in a draft that is gone from the disk as a whole: its inodes get used anew."""
        for node in [node for node in self if self.draft_of(node) == draft]:
            for parent, name in list(node.links):
                self.unlink(node, parent, name, last=True)
                self.release_if_unused(parent)
            self.release_if_unused(node)

    def rebind(self, node: DraftNode, backing: int) -> None:
        """Lets a node mean another inode on disk: a stub has taken its file's place."""
        self._by_backing.pop(node.backing, None)
        node.backing = backing
        self._by_backing[backing] = node

    def path(self, node: DraftNode) -> bytes:
        """Where a node is now, which may be more than a system call takes: see `artfs.content.long_paths`.

        Raises FileNotFoundError when it has been unlinked.
        """
        parts: list[bytes] = []
        while node is not self.root:
            if not node.links:
                raise FileNotFoundError("the file has been removed")
            node, name = node.links[0]
            parts.append(name)
        parts.append(self.path_of_root)
        parts.reverse()
        return b"/".join(parts)

    def child_path(self, parent: DraftNode, name: bytes) -> bytes:
        """The path of a name in a directory."""
        return self.path(parent) + b"/" + name

    def draft_of(self, node: DraftNode) -> bytes | None:
        """The name of the draft that a node lies in; None for the root and for what has been unlinked."""
        name: bytes | None = None
        while node is not self.root:
            if not node.links:
                return None
            node, name = node.links[0]
        return name

    def place_of(self, node: DraftNode) -> DraftPath | None:
        """The draft that a node lies in, and where; None for the root and for what has been unlinked."""
        parts: list[bytes] = []
        while node is not self.root:
            if not node.links:
                return None
            node, name = node.links[0]
            parts.append(name)
        return DraftPath(parts.pop(), b"/".join(reversed(parts))) if parts else None

    def place_in(self, parent: DraftNode, name: bytes) -> DraftPath:
        """The place of a name in a directory. Raises FileNotFoundError if that has been removed."""
        if parent is self.root:
            return DraftPath(name, b"")
        at = self.place_of(parent)
        if at is None:
            raise FileNotFoundError("the directory has been removed")
        return DraftPath(at.draft, at.path + b"/" + name if at.path else name)

    def release_if_unused(self, node: DraftNode) -> None:
        """Drops a node that neither the kernel nor a handle nor a child needs any more."""
        while node.lookups <= 0 and node.opens == 0 and node.children == 0 and node is not self.root:
            self._by_number.pop(node.number, None)
            if self._by_backing.get(node.backing) is node:
                del self._by_backing[node.backing]
            links, node.links = node.links, []
            if not links:
                return
            for parent, _ in links:
                parent.children -= 1
            for parent, _ in links[1:]:
                self.release_if_unused(parent)
            node = links[0][0]

    def _add(self, status: os.stat_result) -> DraftNode:
        number = incoming_inode(status.st_ino) if status.st_ino < SPARE else INCOMING_ROOT
        while number in self._by_number:
            self._spare += 1
            number = incoming_inode(self._spare)
        node = DraftNode(number, status.st_ino, stat.S_IFMT(status.st_mode))
        self._by_number[number] = node
        self._by_backing[status.st_ino] = node
        return node
