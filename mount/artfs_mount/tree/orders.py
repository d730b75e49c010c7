"""`/.artfs/orders`: where orders to the daemon are set, as extended attributes.

The kernel holds the inode of a file locked while one of its attributes is set, which takes as long as the order does.
So each order has a file of its own, whatever it is called: nobody else waits for it, as all would who list the
directory that the order is about. The file has nothing in it; whoever may enter the mount may set the attribute, and
the daemon checks what the order may do (`incoming/callers.py`).
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from artfs.content.digest import tagged
from artfs_mount.tree import inode
from artfs_mount.tree.listing import FixedDirectory
from artfs_mount.tree.node import DIRECTORY_MODE, Attributes, Directory, Generated, Listing, TreeNode

if TYPE_CHECKING:
    from artfs_mount.tree.context import Context

NAME: Final = b"orders"
_MODE: Final = stat.S_IFREG | 0o666


class Orders(Directory):
    """The directory of all orders, of which it lists none."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.ORDERS)
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns)

    def lookup(self, name: bytes) -> TreeNode:
        digest = tagged(b"artfs mount order", name)
        payload = int.from_bytes(digest[: inode.PAYLOAD_BITS // 8], "big")
        return Order(inode.pack(inode.InodeKind.ORDER, payload), self._context.started_ns)

    def listing(self) -> Listing:
        return FixedDirectory(())


class Order(Generated):
    """An empty file to set an order on."""

    __slots__ = ("_started_ns",)

    def __init__(self, ino: int, started_ns: int) -> None:
        self.ino = ino
        self._started_ns = started_ns

    def attributes(self) -> Attributes:
        return Attributes(self.ino, _MODE, 0, self._started_ns)

    def content(self) -> bytes:
        return b""


def order(context: Context, payload: int) -> Order:
    """The order of an inode number's payload."""
    return Order(inode.pack(inode.InodeKind.ORDER, payload), context.started_ns)
