"""Merkle trees: what a directory is, as a value.

Numbering: directories are numbered in preorder, in name order. The root is 0; a child directory's ordinal is its
parent's + 1 + the `directories` of the sibling directories before it. So a directory is found from its ordinal, and the
ordinal from the path, by walking down with the totals alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from artfs.content.digest import Digest, FileDigest, tagged

RawPath = bytes
"""A name or a relative path, as the file system has it."""


class EntryKind(IntEnum):
    """What an entry is. The numbers are part of digests and of the catalog: never change one."""

    FILE = 1
    DIRECTORY = 2
    SYMLINK = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory. Exactly one of `file`, `tree` and `target` is given, as `kind` says.

    Args:
        name: path component, as the file system has it (need not be UTF-8).
        kind: file, directory or symbolic link.
        mode: permission bits (0o777); 0o777 for links.
        mtime_ns: modification time, nanoseconds since 1970 UTC.
        file: what the file's content is.
        tree: the directory's entries.
        target: where the link points, as written.
    """

    name: bytes
    kind: EntryKind
    mode: int
    mtime_ns: int
    file: FileDigest | None = None
    tree: Tree | None = None
    target: bytes | None = None

    @property
    def digest(self) -> Digest:
        """What it is, without its name, mode and time."""
        if self.file is not None:
            return self.file.digest
        if self.tree is not None:
            return self.tree.digest
        return tagged(b"link", self.target or b"")

    @property
    def size(self) -> int:
        """Bytes of the file, of all files below the directory, or of the link's target."""
        if self.file is not None:
            return self.file.size
        if self.tree is not None:
            return self.tree.bytes
        return len(self.target or b"")

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of a directory; none for anything else."""
        return self.tree.entries if self.tree is not None else ()


@dataclass(frozen=True, eq=False)
class Tree:
    """A directory's entries, sorted by name. Its digest says all of it, at any depth, but times.

    Raises ValueError when entries are out of order, named twice, or do not fit their kind.
    """

    entries: tuple[Entry, ...]
    _index: dict[RawPath, Entry] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        previous: RawPath | None = None
        for entry in self.entries:
            if previous is not None and entry.name <= previous:
                raise ValueError(f"entries of a tree must be sorted and distinct: {previous!r} before {entry.name!r}")
            _check_entry(entry)
            previous = entry.name
        # Now, when the digests of the trees below are there already: later it would recurse as deep as the tree is.
        _ = self.digest, self.record_digest, self.files, self.directories, self.bytes

    def __eq__(self, other: object) -> bool:
        """Whether all is equal, at any depth and with times."""
        return isinstance(other, Tree) and self.record_digest == other.record_digest

    def __hash__(self) -> int:
        return hash(self.record_digest)

    @classmethod
    def of(cls, entries: Iterator[Entry] | list[Entry] | tuple[Entry, ...]) -> Tree:
        """Return the tree of entries in any order."""
        return cls(tuple(sorted(entries, key=lambda entry: entry.name)))

    @classmethod
    def from_files(cls, files: Mapping[RawPath, Entry], *, mode: int = 0o755, mtime_ns: int = 0) -> Tree:
        """Return the tree that holds the given entries at the given paths (`a/b/c`, relative).

        Directories on the way are made with `mode` and `mtime_ns`; give an entry for a directory (its `tree` may be
        empty) to say otherwise. An entry's own name gives way to the last component of its path.
        """
        root = _Builder()
        for path in sorted(files):
            root.add(path.split(b"/"), files[path])
        return root.build(mode, mtime_ns)

    @cached_property
    def digest(self) -> Digest:
        """Covers names, kinds, modes, link targets and the digests of files and directories; not times."""
        return tagged(b"tree", *(part for entry in self.entries for part in _content_parts(entry)))

    @cached_property
    def record_digest(self) -> Digest:
        """The same and all modification times below: equal trees by this one can share a row of the catalog."""
        return tagged(b"tree record", *(part for entry in self.entries for part in _record_parts(entry)))

    @cached_property
    def files(self) -> int:
        """Files and links at any depth."""
        return sum(1 if entry.tree is None else entry.tree.files for entry in self.entries)

    @cached_property
    def directories(self) -> int:
        """Directories at any depth, this one included."""
        return 1 + sum(entry.tree.directories for entry in self.entries if entry.tree is not None)

    @cached_property
    def bytes(self) -> int:
        """Bytes of all files at any depth; a content that lies there twice counts twice."""
        return sum(entry.size for entry in self.entries if entry.kind is not EntryKind.SYMLINK)

    def walk(self, prefix: RawPath = b"") -> Iterator[tuple[RawPath, Entry]]:
        """Yield every path below with its entry, a directory before what is in it."""
        pending = [(prefix, iter(self.entries))]
        while pending:
            above, entries = pending[-1]
            entry = next(entries, None)
            if entry is None:
                pending.pop()
                continue
            yield above + entry.name, entry
            if entry.tree is not None:
                pending.append((above + entry.name + b"/", iter(entry.tree.entries)))

    def get(self, name: RawPath) -> Entry | None:
        """Return the entry of that name in this directory."""
        if not self._index and self.entries:
            self._index.update((entry.name, entry) for entry in self.entries)
        return self._index.get(name)

    def find(self, path: RawPath) -> Entry | None:
        """Return the entry at a relative path, or None; links are not followed."""
        entry: Entry | None = None
        tree: Tree | None = self
        for component in path.split(b"/"):
            if tree is None or (entry := tree.get(component)) is None:
                return None
            tree = entry.tree
        return entry


class _Builder:
    """A directory that is being put together."""

    def __init__(self) -> None:
        self.own: Entry | None = None
        self.leaves: dict[bytes, Entry] = {}
        self.children: dict[bytes, _Builder] = {}

    def add(self, components: list[bytes], entry: Entry) -> None:
        builder = self
        for component in components[:-1]:
            builder = builder.child(component)
        pending = [(builder, components[-1], entry)]
        while pending:
            builder, name, entry = pending.pop()
            if entry.kind is EntryKind.DIRECTORY:
                child = builder.child(name)
                child.own = entry
                pending.extend((child, inner.name, inner) for inner in entry.entries)
            elif name in builder.children:
                raise ValueError(f"{b'/'.join(components)!r} is both a directory and a file")
            else:
                builder.leaves[name] = Entry(
                    name, entry.kind, entry.mode, entry.mtime_ns, entry.file, entry.tree, entry.target
                )

    def child(self, name: bytes) -> _Builder:
        if name in self.leaves:
            raise ValueError(f"{name!r} is both a directory and a file")
        return self.children.setdefault(name, _Builder())

    def build(self, mode: int, mtime_ns: int) -> Tree:
        # Without recursion, as it may be very deep: what is below is found last and built first.
        found = [self]
        for builder in found:
            found.extend(builder.children.values())
        built: dict[_Builder, Tree] = {}
        for builder in reversed(found):
            entries = list(builder.leaves.values())
            for name, child in builder.children.items():
                own_mode, own_mtime = (child.own.mode, child.own.mtime_ns) if child.own else (mode, mtime_ns)
                entries.append(Entry(name, EntryKind.DIRECTORY, own_mode, own_mtime, tree=built.pop(child)))
            built[builder] = Tree.of(entries)
        return built[self]


def _check_entry(entry: Entry) -> None:
    given = (entry.file is not None, entry.tree is not None, entry.target is not None)
    if given != (entry.kind is EntryKind.FILE, entry.kind is EntryKind.DIRECTORY, entry.kind is EntryKind.SYMLINK):
        raise ValueError(f"entry {entry.name!r} has not what a {entry.kind.name.lower()} has")
    if not entry.name or entry.name in (b".", b"..") or b"/" in entry.name or b"\0" in entry.name:
        raise ValueError(f"{entry.name!r} cannot be a name in a directory")


def _content_parts(entry: Entry) -> tuple[bytes, bytes, bytes]:
    return entry.name, _kind_and_mode(entry), entry.digest


def _record_parts(entry: Entry) -> tuple[bytes, bytes, bytes, bytes]:
    content = entry.tree.record_digest if entry.tree is not None else entry.digest
    return entry.name, _kind_and_mode(entry), content, entry.mtime_ns.to_bytes(16, "little", signed=True)


def _kind_and_mode(entry: Entry) -> bytes:
    return bytes((entry.kind,)) + (entry.mode & 0o777).to_bytes(2, "little")
