"""Random trees for tests, and plain models to compare them with."""

from __future__ import annotations

from hypothesis import strategies as st

from artfs.content.digest import FileDigest, hash_bytes
from artfs.content.tree import Entry, EntryKind, Tree

names = st.binary(min_size=1, max_size=4).filter(lambda name: name not in (b".", b"..") and not {0, 47} & set(name))
modes = st.sampled_from([0o644, 0o755, 0o600, 0o444])
times = st.integers(min_value=-(2**62), max_value=2**62)


def file_entry(content: bytes, name: bytes = b"file", mode: int = 0o644, mtime_ns: int = 0) -> Entry:
    """An entry for a file with that content."""
    return Entry(name, EntryKind.FILE, mode, mtime_ns, file=FileDigest(hash_bytes(content), len(content)))


def _link(name: bytes, mtime_ns: int, target: bytes) -> Entry:
    return Entry(name, EntryKind.SYMLINK, 0o777, mtime_ns, target=target)


files = st.builds(file_entry, st.binary(max_size=3), names, modes, times)
links = st.builds(
    lambda name, mtime, target: Entry(name, EntryKind.SYMLINK, 0o777, mtime, target=target), names, times, names
)


def _directory(entries: list[Entry], name: bytes, mode: int, mtime_ns: int) -> Entry:
    return Entry(name, EntryKind.DIRECTORY, mode, mtime_ns, tree=tree_of(entries))


def tree_of(entries: list[Entry]) -> Tree:
    """The tree of the entries; of those with one name, the last."""
    return Tree.of(list({entry.name: entry for entry in entries}.values()))


entries = st.recursive(
    files | links,
    lambda inner: st.builds(_directory, st.lists(inner, max_size=4), names, modes, times),
    max_leaves=12,
)
trees = st.lists(entries, max_size=6).map(tree_of)


def flat(tree: Tree, *, times: bool = False) -> dict[bytes, tuple[object, ...]]:
    """Everything a tree says, path by path."""
    said: dict[bytes, tuple[object, ...]] = {}
    for path, entry in tree.walk():
        content = entry.digest if entry.tree is None else None
        said[path] = (entry.kind, entry.mode, content, entry.mtime_ns if times else None)
    return said
