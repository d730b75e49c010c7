"""What a mounted tree is made of: directories, files of versions, generated texts and links.

Everything here and in the modules beside it is plain and synchronous, and runs on the mount's event loop as long as it
is quick: see `blocking`. Nodes are values made on the spot: two nodes of one inode number are interchangeable, and none
needs to be kept.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from artfs.content.digest import tagged
from artfs_mount.tree import inode

FOREVER: Final = 365 * 86_400.0
"""Seconds the kernel may keep what can never change."""
XATTR_PREFIX: Final = b"user.artfs."
DIRECTORY_MODE: Final = stat.S_IFDIR | 0o555
WRITABLE_DIRECTORY_MODE: Final = stat.S_IFDIR | 0o755
TEXT_MODE: Final = stat.S_IFREG | 0o444
PRIVATE_TEXT_MODE: Final = stat.S_IFREG | 0o400
UNSEEN_MODE: Final = stat.S_IFREG
LINK_MODE: Final = stat.S_IFLNK | 0o777


class Owner(NamedTuple):
    """A user and a group, by number."""

    uid: int
    gid: int


class Attributes(NamedTuple):
    """What `stat` shows, and how long the kernel may believe it. A named tuple: listings make thousands of them."""

    ino: int
    mode: int
    """With the bits of the file's type."""
    size: int
    """Bytes. 0 for a directory, so that `du -b` of a version is exactly the bytes of its files."""
    mtime_ns: int
    nlink: int = 1
    """Always 1: for a directory that tells `find` not to guess the number of sub-directories from it (as on btrfs)."""
    seconds: float = 0.0
    """How long the attributes hold."""
    name_seconds: float = 0.0
    """How long the name that led here holds. A name that led nowhere is never kept, so new ones are seen at once."""
    owner: Owner | None = None
    """Whose it is; the daemon's user's when None."""

    @property
    def blocks(self) -> int:
        """The size in 512-byte units, for `du`."""
        return (self.size + 511) >> 9

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


class TreeNode(ABC):
    """Anything with an inode number."""

    __slots__ = ("ino",)
    ino: int

    @abstractmethod
    def attributes(self) -> Attributes: ...

    def listed(self) -> Attributes:
        """What a listing tells of it: the attributes, or where these take long a stand-in that no kernel keeps.

        So whoever only lists names waits for none, and whoever asks for one file waits for that one alone.
        """
        return self.attributes()

    def looked_up(self) -> Attributes:
        """What a lookup tells of it: the attributes, or the same stand-in.

        A kernel that waits for a name lets nobody list the directory that it is in, so a file whose number is known
        is told at once, and only who asks for its attributes waits for them.
        """
        return self.attributes()

    def xattrs(self) -> Mapping[bytes, bytes]:
        """The extended attributes, by their full names."""
        return {}

    def set_xattr(self, name: bytes, value: bytes) -> None:
        """Set an extended attribute. Writes the catalog: call it from a worker thread.

        Raises:
            PermissionError: It can only be read.
            OSError: ENOTSUP, there is no such attribute here.
            InvalidValue, InvalidName: The value cannot be kept.
        """
        raise unsupported_xattr(name)


class DirectoryEntry(NamedTuple):
    """A name in a listing. position: more than 0, and no other's; whoever lists goes on after it."""

    position: int
    name: bytes
    node: TreeNode


class Listing(ABC):
    """What a directory holds, without `.` and `..`, told in pieces. Keep it while listing, so that positions stay."""

    @abstractmethod
    def after(self, position: int, most: int) -> Sequence[DirectoryEntry]:
        """The names after a position, at most so many and fewer only at the end; 0 is the beginning."""


PIECE: Final = 128
"""How many names are read at once: a few requests of the kernel."""


class Directory(TreeNode):
    """A directory that can be listed and searched."""

    __slots__ = ()

    @abstractmethod
    def lookup(self, name: bytes) -> TreeNode:
        """What the name stands for.

        Raises:
            FileNotFoundError: There is no such name.
        """

    @abstractmethod
    def listing(self) -> Listing:
        """The names and nodes as of now."""

    def entries(self) -> list[tuple[bytes, TreeNode]]:
        """All names and nodes as of now."""
        return list(self._each())

    def long_named(self, name: bytes) -> TreeNode:
        """What a name stands for that was too long to be shown whole (`file_names`), and so cannot be asked for.

        Raises:
            FileNotFoundError: There is no such name, or it is none of those.
        """
        for found, node in self._each() if b"~" in name else ():
            if found == name:
                return node
        raise no_entry(name)

    def _each(self) -> Iterator[tuple[bytes, TreeNode]]:
        listing = self.listing()
        piece = listing.after(0, PIECE)
        while piece:
            yield from ((name, node) for _, name, node in piece)
            piece = listing.after(piece[-1].position, PIECE)


class Link(TreeNode):
    """A symbolic link.

    Args:
        ino: The inode number.
        target: Where it leads. Relative if artfs made the link, so that the tree works wherever it is mounted.
        mtime_ns: When it was made.
        seconds: How long the kernel may keep it and its name.
    """

    __slots__ = ("_target", "mtime_ns", "seconds")

    def __init__(self, ino: int, target: bytes, mtime_ns: int, seconds: float = 0.0) -> None:
        self.ino = ino
        self.mtime_ns = mtime_ns
        self.seconds = seconds
        self._target = target

    def target(self) -> bytes:
        """What `readlink` answers."""
        return self._target

    def attributes(self) -> Attributes:
        return Attributes(self.ino, LINK_MODE, len(self._target), self.mtime_ns, 1, self.seconds, self.seconds)


class Generated(TreeNode):
    """A file whose bytes are made from the catalog."""

    __slots__ = ()

    @abstractmethod
    def content(self) -> bytes: ...


def unseen(ino: int, mtime_ns: int, name_seconds: float = 0.0) -> Attributes:
    """What a listing tells of a file that is not made for it: nobody may read it or believe its size as they stand."""
    return Attributes(ino, UNSEEN_MODE, 0, mtime_ns, name_seconds=name_seconds)


class Text(Generated):
    """A generated file that may change later: the content is made once, and belongs to the inode number.

    The kernel keeps the pages of an inode for as long as it knows it, so other content must be another inode;
    `MountTree.remember` keeps the bytes while the kernel knows the number.

    Args:
        path: The path in the mount, which tells equal contents of different files apart.
        content: The bytes.
        mtime_ns: When what it tells last changed.
        only_for: Whom it was made for, if nobody else may read it.
    """

    __slots__ = ("_content", "_only_for", "mtime_ns")

    def __init__(self, path: bytes, content: bytes, mtime_ns: int, only_for: Owner | None = None) -> None:
        reader = () if only_for is None else (b"%d %d" % only_for,)
        digest = tagged(b"artfs mount text", path, content, *reader)
        self.ino = inode.pack(inode.InodeKind.TEXT, int.from_bytes(digest[: inode.PAYLOAD_BITS // 8], "big"))
        self._content = content
        self._only_for = only_for
        self.mtime_ns = mtime_ns

    def content(self) -> bytes:
        return self._content

    def attributes(self) -> Attributes:
        mode = TEXT_MODE if self._only_for is None else PRIVATE_TEXT_MODE
        return Attributes(self.ino, mode, len(self._content), self.mtime_ns, seconds=FOREVER, owner=self._only_for)


def as_text(name: bytes) -> str:
    """A name of the catalog, all of which are UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise no_entry(name) from None


def no_entry(name: bytes | str) -> FileNotFoundError:
    """The error of a lookup that found nothing."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(name))


class Stale(OSError):
    """What an inode number stood for was removed, or says something else by now.

    Its errno is ESTALE, on which the kernel looks the name up again, and whoever has no name but an open file is told
    that it is gone. ENOENT would be that of a file that was never there; and in a listing programs take it for the end.
    """


def stale(number: int) -> Stale:
    """The error for an inode number, or the payload or row id in one, that leads nowhere any more."""
    return Stale(errno.ESTALE, f"what had the number {number:#x} is not there any more")


def unsupported_xattr(name: bytes) -> OSError:
    """The error for an extended attribute that is not there to be set."""
    return OSError(errno.ENOTSUP, f"the extended attribute {os.fsdecode(name)} cannot be set here")
