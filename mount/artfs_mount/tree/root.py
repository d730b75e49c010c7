"""The top of the mount, what it holds, and the mount's own hidden `.artfs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from artfs_mount.tree import inode, orders
from artfs_mount.tree.context import Context
from artfs_mount.tree.listing import FixedDirectory
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    WRITABLE_DIRECTORY_MODE,
    Attributes,
    Directory,
    Listing,
    Owner,
    Text,
    TreeNode,
    no_entry,
)

INCOMING: Final = b"incoming"
STATUS: Final = b"status.json"

Make = Callable[[Context], TreeNode]


class TopDirectory(Directory):
    """The top of the mount.

    Args:
        context: What the mount shares.
        listed: Makes what `ls` shows.
        hidden: Makes what is there only when it is asked for by name.
    """

    __slots__ = ("_context", "_hidden", "_listed")

    def __init__(self, context: Context, listed: Mapping[bytes, Make], hidden: Mapping[bytes, Make]) -> None:
        self.ino = int(inode.Fixed.ROOT)
        self._context = context
        self._listed = {name: make for name, make in listed.items() if name != INCOMING or context.takes_drafts}
        self._hidden = hidden

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, seconds=FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        make = self._listed.get(name) or self._hidden.get(name)
        if make is None:
            raise no_entry(name)
        return make(self._context)

    def listing(self) -> Listing:
        return FixedDirectory((name, make(self._context)) for name, make in self._listed.items())


class IncomingDirectory(Directory):
    """Stands where `/incoming` is. Its number tells the adapter to answer from the drafts instead."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = inode.INCOMING_ROOT
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, WRITABLE_DIRECTORY_MODE, 0, self._context.started_ns)

    def lookup(self, name: bytes) -> TreeNode:
        raise no_entry(name)

    def listing(self) -> Listing:
        return FixedDirectory(())


class StateDirectory(Directory):
    """`/.artfs`: the daemon's own state. Each user sees what is his to see, in a file that he alone may read."""

    __slots__ = ("_context", "_make", "_reader")

    def __init__(self, context: Context, reader: Owner | None = None, make: Callable[[], bytes] | None = None) -> None:
        self.ino = int(inode.Fixed.DOT_ARTFS)
        self._context = context
        self._reader = reader
        self._make = make or context.status

    def seen_by(self, reader: Owner, make: Callable[[], bytes]) -> StateDirectory:
        """What somebody sees. make: makes his status file."""
        return StateDirectory(self._context, reader, make)

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, 1, FOREVER, FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        if name == orders.NAME:
            return orders.Orders(self._context)
        if name != STATUS:
            raise no_entry(name)
        return self._status()

    def listing(self) -> Listing:
        return FixedDirectory([(orders.NAME, orders.Orders(self._context)), (STATUS, self._status())])

    def _status(self) -> Text:
        return Text(b"/.artfs/" + STATUS, self._make(), time.time_ns(), self._reader)
