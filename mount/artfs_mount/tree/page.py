"""Generated files of runs, steps and lineage nodes: found again from their inode number, so that nothing is remembered.

The number carries some bits of the content's hash. When the content has changed, the old number stands for nothing, and
the kernel asks for the name again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from artfs.content.digest import hash_bytes
from artfs_mount.tree import inode
from artfs_mount.tree.node import FOREVER, TEXT_MODE, Attributes, Generated, Node

if TYPE_CHECKING:
    from artfs_mount.tree.context import Context


class Made(NamedTuple):
    """What a page says, and when that last changed (microseconds since 1970 UTC)."""

    content: bytes
    changed_us: int


@dataclass(frozen=True, slots=True)
class Template:
    """One page that everything of a kind has.

    Args:
        name: of the file.
        which: its number among the pages of its kind, 0 to 15.
        make: makes it, for a row id.
    """

    name: bytes
    which: int
    make: Callable[[Context, int], Made]


class _Known(NamedTuple):
    mark: int
    size: int
    mtime_ns: int


class Page(Generated):
    """A generated file.

    Args:
        context: What the mount shares.
        kind: Of the inode number.
        owner_id: Row id of what it tells about.
        template: Which page it is.
    """

    __slots__ = ("_context", "_key", "_known", "_owner_id", "_template")

    def __init__(self, context: Context, kind: inode.Kind, owner_id: int, template: Template) -> None:
        self._context = context
        self._owner_id = owner_id
        self._template = template
        self._key = kind, owner_id, template.which
        self._known = context.facts.get(self._key, self._look)
        self.ino = inode.page(kind, owner_id, template.which, self._known.mark)

    def content(self) -> bytes:
        content = self._context.texts.get(self.ino)
        if content is None:
            content = self._template.make(self._context, self._owner_id).content
            self._context.texts.put(self.ino, content, len(content))
        return content

    def attributes(self) -> Attributes:
        return Attributes(self.ino, TEXT_MODE, self._known.size, self._known.mtime_ns, seconds=FOREVER)

    def _look(self) -> _Known:
        content, changed_us = self._template.make(self._context, self._owner_id)
        mark = int.from_bytes(hash_bytes(content)[:4], "big") & (1 << inode.MARK_BITS) - 1
        kind, owner_id, which = self._key
        self._context.texts.put(inode.page(kind, owner_id, which, mark), content, len(content))
        return _Known(mark, len(content), changed_us * 1000)


def page_of(context: Context, kind: inode.Kind, payload: int, templates: Mapping[int, Template]) -> Node:
    """The page of an inode number.

    Raises:
        OSError: ESTALE, it says something else by now. The kernel then looks the name up again.
    """
    owner_id, rest = inode.unpack_pair(payload, inode.HASH_BITS)
    which, mark = rest >> inode.MARK_BITS, rest & (1 << inode.MARK_BITS) - 1
    if which in templates:
        page = Page(context, kind, owner_id, templates[which])
        if page.ino == inode.page(kind, owner_id, which, mark):
            return page
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
