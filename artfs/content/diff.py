"""What differs between two trees, without looking into subtrees that are equal.

Works on anything that has the few attributes of `TreeEntry`: `content.tree` values, or rows of the catalog whose
entries are loaded only when asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar, overload

from artfs.content.tree import Entry, EntryKind, Tree


class TreeEntry(Protocol):
    """An entry of a tree. A link may have no digest: its target is compared too."""

    @property
    def name(self) -> bytes: ...
    @property
    def kind(self) -> int: ...
    @property
    def mode(self) -> int: ...
    @property
    def digest(self) -> bytes | None: ...
    @property
    def target(self) -> bytes | None: ...
    @property
    def size(self) -> int: ...


class TreeTop(Protocol):
    """The top of a tree: only its digest is asked for."""

    @property
    def digest(self) -> bytes | None: ...


N = TypeVar("N", bound=TreeEntry)


@dataclass(frozen=True, slots=True)
class EntryChange(Generic[N]):
    """One path that is not the same in both trees. `old` is None when it was added, `new` when it was removed."""

    path: bytes
    old: N | None
    new: N | None

    @property
    def status(self) -> str:
        """`added`, `removed` or `changed`."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def old_size(self) -> int:
        """Bytes before; 0 when added."""
        return self.old.size if self.old is not None else 0

    @property
    def new_size(self) -> int:
        """Bytes after; 0 when removed."""
        return self.new.size if self.new is not None else 0


@overload
def diff(old: Tree, new: Tree) -> Iterator[EntryChange[Entry]]: ...
@overload
def diff(
    old: TreeTop, new: TreeTop, children: Callable[[Any], Iterable[N]], prefix: bytes = b""
) -> Iterator[EntryChange[N]]: ...
def diff(
    old: TreeTop, new: TreeTop, children: Callable[[Any], Iterable[N]] = attrgetter("entries"), prefix: bytes = b""
) -> Iterator[EntryChange[N]]:
    """Yield every path that was added, removed or changed between two directories, in name order, parents first.

    A directory is itself changed only when its mode or kind is; everything below an added or removed directory is
    named too.

    Args:
        old, new: the directories; each has a `digest` that covers all below.
        children: returns the entries of a directory (a root or an entry of kind DIRECTORY).
        prefix: put before every path.
    """
    pending = [iter(_pairs(old, new, children, prefix))]
    while pending:
        pair = next(pending[-1], None)
        if pair is None:
            pending.pop()
            continue
        path, before, after = pair
        both_directories = _is_directory(before) and _is_directory(after)
        if before is None or after is None or not _same(before, after, ignore_content=both_directories):
            yield EntryChange(path, before, after)
        below_before = before if _is_directory(before) else None
        below_after = after if _is_directory(after) else None
        if below_before is not None or below_after is not None:
            pending.append(iter(_pairs(below_before, below_after, children, path + b"/")))


def _pairs(
    old: TreeTop | None, new: TreeTop | None, children: Callable[[Any], Iterable[N]], prefix: bytes
) -> list[tuple[bytes, N | None, N | None]]:
    """What has the same path in two directories, either of which may be missing; nothing when they are equal."""
    if old is not None and new is not None and old.digest == new.digest:
        return []
    before = {entry.name: entry for entry in children(old)} if old is not None else {}
    after = {entry.name: entry for entry in children(new)} if new is not None else {}
    return [(prefix + name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


def _is_directory(node: TreeEntry | None) -> bool:
    return node is not None and node.kind == EntryKind.DIRECTORY


def _same(old: TreeEntry, new: TreeEntry, *, ignore_content: bool) -> bool:
    if old.kind != new.kind or old.mode != new.mode:
        return False
    return ignore_content or (old.digest == new.digest and old.target == new.target)
