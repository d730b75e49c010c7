"""Generated files of runs, steps and lineage nodes: found again from their inode number, so that nothing is remembered.

The number carries some bits of the content's hash. When the content has changed, the old number stands for nothing, and
the kernel asks for the name again. A listing makes no content: it tells a number that stands for none, with which the
kernel knows the name and asks for it again as soon as anybody wants more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from artfs.content.digest import hash_bytes
from artfs_mount.tree import inode
from artfs_mount.tree.blocking import Slow
from artfs_mount.tree.node import FOREVER, TEXT_MODE, Attributes, Generated, TreeNode, stale, unseen

if TYPE_CHECKING:
    from artfs.lineage.graph import Graph
    from artfs_mount.tree.context import Context


class GeneratedText(NamedTuple):
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
        slow: why that takes more than a few point reads; None if it does not.
    """

    name: bytes
    which: int
    make: Callable[[Context, int], GeneratedText]
    slow: Slow | None = None


_UNSEEN: Final = 0
"""The mark of the number that a listing tells."""


class GeneratedFile(Generated):
    """A generated file, made when somebody first asks about it.

    Args:
        context: What the mount shares.
        kind: Of the inode number.
        owner_id: Row id of what it tells about.
        template: Which page it is.
        listed_us: When what it tells about began, which listings show.
    """

    __slots__ = ("_context", "_kind", "_listed_us", "_made", "_owner_id", "_template")

    def __init__(
        self, context: Context, kind: inode.InodeKind, owner_id: int, template: Template, listed_us: int = 0
    ) -> None:
        self._context = context
        self._kind = kind
        self._owner_id = owner_id
        self._template = template
        self._listed_us = listed_us
        self._made: GeneratedText | None = None

    @property
    def ino(self) -> int:  # type: ignore[override] # known only once it is made
        mark = int.from_bytes(hash_bytes(self._look().content)[:4], "big") & (1 << inode.MARK_BITS) - 1
        return self._number(mark or 1)

    def content(self) -> bytes:
        return self._look().content

    def attributes(self) -> Attributes:
        content, changed_us = self._look()
        return Attributes(self.ino, TEXT_MODE, len(content), changed_us * 1000, seconds=FOREVER)

    def listed(self) -> Attributes:
        return unseen(self._number(_UNSEEN), self._listed_us * 1000)

    def _look(self) -> GeneratedText:
        if self._made is None:
            if self._template.slow is not None:
                self._context.may_wait(self._template.slow)
            self._made = self._template.make(self._context, self._owner_id)
        return self._made

    def _number(self, mark: int) -> int:
        return inode.page(self._kind, self._owner_id, self._template.which, mark)


def drawn(context: Context, key: Hashable, graph: Graph, draw: Callable[[Graph], str]) -> bytes:
    """A picture of a graph, which is drawn anew only if the graph is another one than the last time.

    key: of the picture.
    """
    known = context.pictures.get(key)
    if known is not None and known[0] == graph:
        return known[1]
    picture = draw(graph).encode()
    context.pictures.put(key, (graph, picture), 2 * len(picture))
    return picture


def page_of(context: Context, kind: inode.InodeKind, payload: int, templates: Mapping[int, Template]) -> TreeNode:
    """The page of an inode number.

    Raises:
        Stale: it says something else by now.
    """
    owner_id, rest = inode.unpack_pair(payload, inode.HASH_BITS)
    which, mark = rest >> inode.MARK_BITS, rest & (1 << inode.MARK_BITS) - 1
    if which in templates and mark != _UNSEEN:
        page = GeneratedFile(context, kind, owner_id, templates[which])
        if page.ino == inode.page(kind, owner_id, which, mark):
            return page
    raise stale(payload)
