"""What differs between two trees, without looking into subtrees that are equal.

Works on anything that has the few attributes of `Node`: `content.tree` values, or rows of the catalog whose entries
are loaded only when asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

from artfs.content.tree import Kind


class Node(Protocol):
    """An entry of a tree."""

    @property
    def name(self) -> bytes: ...
    @property
    def kind(self) -> int: ...
    @property
    def mode(self) -> int: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def size(self) -> int: ...


class Root(Protocol):
    """The top of a tree: only its digest is asked for."""

    @property
    def digest(self) -> bytes: ...


N = TypeVar("N", bound=Node)


@dataclass(frozen=True, slots=True)
class Change(Generic[N]):
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


def diff(
    old: Root, new: Root, children: Callable[[Any], Iterable[N]] = attrgetter("entries"), prefix: bytes = b""
) -> Iterator[Change[N]]:
    """Yield every path that was added, removed or changed between two directories, in name order, parents first.

    A directory is itself changed only when its mode or kind is; everything below an added or removed directory is
    named too.

    Args:
        old, new: the directories; each has a `digest` that covers all below.
        children: returns the entries of a directory (a root or an entry of kind DIRECTORY).
        prefix: put before every path.
    """
    if old.digest == new.digest:
        return
    before = {entry.name: entry for entry in children(old)}
    after = {entry.name: entry for entry in children(new)}
    for name in sorted(before.keys() | after.keys()):
        yield from _compare(prefix + name, before.get(name), after.get(name), children)


def _compare(path: bytes, old: N | None, new: N | None, children: Callable[[Any], Iterable[N]]) -> Iterator[Change[N]]:
    both_directories = _is_directory(old) and _is_directory(new)
    if old is None or new is None or not _same(old, new, ignore_content=both_directories):
        yield Change(path, old, new)
    if old is not None and new is not None and both_directories:
        yield from diff(old, new, children, path + b"/")
        return
    for node, was in ((old, True), (new, False)):
        if node is not None and _is_directory(node):
            for inner in sorted(children(node), key=lambda entry: entry.name):
                below = path + b"/" + inner.name
                yield from _compare(below, inner if was else None, None if was else inner, children)


def _is_directory(node: Node | None) -> bool:
    return node is not None and node.kind == Kind.DIRECTORY


def _same(old: Node, new: Node, *, ignore_content: bool) -> bool:
    if old.kind != new.kind or old.mode != new.mode:
        return False
    return ignore_content or old.digest == new.digest
