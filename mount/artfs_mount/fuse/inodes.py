"""What the kernel's inode numbers mean, and their attributes in the form that FUSE wants.

Numbers below `/incoming` belong to the node table; all others are answered by the read-only tree from the number alone.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Callable, Mapping, Sequence

from pyfuse3 import EntryAttributes, SetattrFields

from artfs_mount.incoming.attributes import AttributeChange
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.nodes import DraftNode
from artfs_mount.tree.files import VersionFile
from artfs_mount.tree.inode import INCOMING_ROOT, PAYLOAD_BITS, InodeKind
from artfs_mount.tree.node import Attributes, Directory, Generated, Link, Listing, Owner
from artfs_mount.tree.root import StateDirectory
from artfs_mount.tree.tree import Found, MountTree, Told, found, told

INCOMING_SECONDS = 300.0
"""How long the kernel may believe what it knows of a draft's files: nothing changes them but requests through it."""

WRITE_BYTES = 1 << 20
"""How much a program should write at once, as network file systems say too: the most that the kernel sends in one
request. `cp` heeds it (1.4 GiB/s; 0.6 GiB/s with its own 128 KiB)."""


class Inodes:
    """Finds what a number stands for and counts what the kernel remembers. `status` makes a caller's status.json."""

    def __init__(self, tree: MountTree, incoming: Incoming, status: Callable[[Caller], bytes]) -> None:
        self.tree = tree
        self.incoming = incoming
        self._status = status
        self._own = Owner(os.getuid(), os.getgid())

    def node(self, number: int) -> DraftNode | None:
        """The node below `/incoming`, or None when the number belongs to the read-only tree."""
        if number == INCOMING_ROOT or number >> PAYLOAD_BITS == InodeKind.INCOMING:
            return self.incoming.nodes.get(number)
        return None

    def writable(self, number: int) -> DraftNode:
        """The node below `/incoming`. Raises EROFS for everything else."""
        node = self.node(number)
        if node is None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return node

    def lookup(self, directory: DraftNode, name: bytes) -> EntryAttributes:
        """What stands at a name below `/incoming`; the kernel remembers it once more."""
        node, status = self.incoming.namespace.lookup(directory, name)
        return self.counted(node, status)

    def attributes(self, node: DraftNode) -> EntryAttributes:
        """The attributes of a node below `/incoming`."""
        return self.of_incoming(node, self.incoming.attributes.status(node))

    def names(self, directory: DraftNode) -> list[bytes]:
        """What a directory below `/incoming` holds at this moment; its files are looked at when they are told."""
        return self.incoming.namespace.list(directory)

    # Questions to the tree: they change nothing, and a worker thread may ask them.

    def find(self, parent: int, name: bytes, caller: Caller) -> Found:
        """What stands at a name of the read-only tree."""
        return found(self._directory(parent, caller), name)

    def list(self, number: int, caller: Caller) -> tuple[Listing, Sequence[Told]]:
        """What a directory of the read-only tree holds at this moment, and the first piece of it."""
        listing = self._directory(number, caller).listing()
        return listing, told(listing, 0)

    def tree_attributes(self, number: int) -> Attributes:
        """The attributes of a number of the read-only tree."""
        return self.tree.node(number).attributes()

    def target(self, number: int) -> bytes:
        """Where a link of the read-only tree leads."""
        link = self.tree.node(number)
        assert isinstance(link, Link), "the kernel asks this of links only"
        return link.target()

    def file(self, number: int) -> VersionFile | bytes:
        """A file of a version, or the content of a generated one."""
        node = self.tree.node(number)
        if isinstance(node, VersionFile):
            return node
        assert isinstance(node, Generated), "everything else cannot be opened"
        return node.content()

    def tree_xattrs(self, number: int) -> Mapping[bytes, bytes]:
        """The extended attributes of a number of the read-only tree."""
        return self.tree.node(number).xattrs()

    def set_tree_xattr(self, number: int, name: bytes, value: bytes) -> None:
        """Sets an extended attribute in the read-only tree. For a worker thread: it writes the catalog."""
        self.tree.node(number).set_xattr(name, value)

    # What the kernel remembers

    def counted(self, node: DraftNode, status: os.stat_result | None = None) -> EntryAttributes:
        """The entry of a node below `/incoming`, which the kernel remembers once more."""
        entry = self.of_incoming(node, status or self.incoming.attributes.status(node))
        node.lookups += 1
        return entry

    def counted_in_tree(self, found: Found) -> EntryAttributes:
        """The entry of a node of the tree, which the kernel remembers once more."""
        if found.attributes.ino == INCOMING_ROOT:
            return self.counted(self.incoming.nodes.root)
        self.tree.remember(found.node)
        return self.of_tree(found.attributes)

    def forget(self, number: int, count: int) -> None:
        """The kernel has forgotten a number so many of the times that it was told of it."""
        if number >> PAYLOAD_BITS == InodeKind.INCOMING:
            node = self.incoming.nodes.get(number)
            node.lookups -= count
            self.incoming.nodes.release_if_unused(node)
        elif number != INCOMING_ROOT:
            self.tree.forget(number, count)

    def of_tree(self, attributes: Attributes) -> EntryAttributes:
        """Attributes of the read-only tree for FUSE."""
        entry = EntryAttributes()
        entry.st_ino = attributes.ino
        entry.st_mode = attributes.mode
        entry.st_nlink = attributes.nlink
        entry.st_uid, entry.st_gid = attributes.owner or self._own
        entry.st_size = attributes.size
        entry.st_blocks = (attributes.size + 511) >> 9
        entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = attributes.mtime_ns
        entry.attr_timeout = attributes.seconds
        entry.entry_timeout = attributes.name_seconds
        return entry

    def of_incoming(self, node: DraftNode, status: os.stat_result) -> EntryAttributes:
        """Attributes of a draft's file for FUSE. A stub takes no blocks on disk, but shows those of its bytes."""
        entry = EntryAttributes()
        entry.st_ino = node.number
        entry.st_mode = status.st_mode
        entry.st_nlink = self.incoming.drafts.pins.links(status)
        entry.st_uid = status.st_uid
        entry.st_gid = status.st_gid
        entry.st_size = status.st_size
        entry.st_blksize = WRITE_BYTES
        entry.st_blocks = status.st_blocks if node.blob is None else (status.st_size + 511) >> 9
        entry.st_atime_ns = status.st_atime_ns
        entry.st_mtime_ns = status.st_mtime_ns
        entry.st_ctime_ns = status.st_ctime_ns
        entry.attr_timeout = INCOMING_SECONDS
        # mv into /artifacts turns a draft into a version under the kernel's eyes: its name is always asked for.
        is_draft = bool(node.links) and node.links[0][0].number == INCOMING_ROOT
        entry.entry_timeout = 0 if is_draft or node.number == INCOMING_ROOT else INCOMING_SECONDS
        return entry

    def _directory(self, number: int, caller: Caller) -> Directory:
        node = self.tree.node(number)
        if isinstance(node, StateDirectory):
            return node.seen_by(Owner(caller.uid, caller.gid), functools.partial(self._status, caller))
        if not isinstance(node, Directory):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return node


def change_of(attributes: EntryAttributes, fields: SetattrFields) -> AttributeChange:
    """What a setattr request wants."""
    return AttributeChange(
        mode=stat.S_IMODE(attributes.st_mode) if fields.update_mode else None,
        uid=attributes.st_uid if fields.update_uid else None,
        gid=attributes.st_gid if fields.update_gid else None,
        size=attributes.st_size if fields.update_size else None,
        atime_ns=attributes.st_atime_ns if fields.update_atime else None,
        mtime_ns=attributes.st_mtime_ns if fields.update_mtime else None,
    )
