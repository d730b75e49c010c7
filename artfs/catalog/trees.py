"""Directories inside versions, as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from artfs.catalog.engine import Engine, Row, in_lists, insert_rows, scalar
from artfs.catalog.sound import check_entry_names, check_root_names, damaged_directory
from artfs.content.digest import Digest, FileDigest
from artfs.content.tree import Entry, EntryKind, Tree

_TREE = "id, digest, record_digest, files, directories, bytes"
_ENTRY = (
    "e.id, e.name, e.kind, e.mode, e.mtime_ns, e.id, COALESCE(b.size, t.bytes, LENGTH(e.target)), "
    "COALESCE(b.digest, t.digest), e.blob_id, e.child_id, e.target, t.directories, t.files, t.bytes"
)
_ENTRY_FROM = "FROM tree_entry e LEFT JOIN blob b ON b.id = e.blob_id LEFT JOIN tree t ON t.id = e.child_id"

_LOAD = (
    "SELECT e.name, e.kind, e.mode, e.mtime_ns, e.child_id, e.target, b.digest, b.size, b.blocks "
    "FROM tree_entry e LEFT JOIN blob b ON b.id = e.blob_id WHERE e.tree_id = :tree ORDER BY e.name"
)
_CHILD = 4

_INSERT_ENTRY = (
    "INSERT INTO tree_entry (tree_id, name, kind, mode, mtime_ns, blob_id, child_id, target) VALUES "
    "(:tree_id, :name, :kind, :mode, :mtime_ns, :blob_id, :child_id, :target)"
)
_UNNEEDED = (
    "NOT EXISTS (SELECT 1 FROM version v WHERE v.tree_id = t.id) "
    "AND NOT EXISTS (SELECT 1 FROM tree_entry e WHERE e.child_id = t.id)"
)
_PIECE = 2_000
"""How many entries of a directory are read at once."""
_WINDOW = 10_000
"""How many tree ids one transaction of a collection looks at."""

_LAST_TIME, _FIRST_TIME = 2**63 - 1, -(2**63)
"""Times that a column can hold: years 2262 and 1677. Some file systems can hold more."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A directory: its digests and what is in it at any depth (`directories` counts itself)."""

    id: int
    digest: Digest
    record_digest: Digest
    files: int
    directories: int
    bytes: int


class EntryRow(NamedTuple):
    """One name in a directory. A tuple, as thousands are made for one listing.

    `size` is the bytes of the file, of all files below the directory, or of the link's target; `digest` is that of the
    content of the file or directory, None for a link. `directories`, `files` and `bytes` are the totals of a directory,
    None for others.
    """

    id: int
    name: bytes
    kind: int
    mode: int
    mtime_ns: int
    inode: int
    size: int
    digest: Digest | None
    blob_id: int | None
    child_id: int | None
    target: bytes | None
    directories: int | None
    files: int | None
    bytes: int | None


class Trees:
    """The trees of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def tree(self, tree_id: int) -> TreeRow | None:
        """Return the directory of that row id."""
        row = self._engine.one(f"SELECT {_TREE} FROM tree WHERE id = :id", {"id": tree_id})
        return TreeRow(*row) if row else None

    def entries(self, tree_id: int) -> list[EntryRow]:
        """Return what is in a directory, in name order. Raises CatalogCorrupt for names that lead out of it."""
        rows = self._engine.query(
            f"SELECT {_ENTRY} {_ENTRY_FROM} WHERE e.tree_id = :tree ORDER BY e.name", {"tree": tree_id}
        )
        entries = list(map(EntryRow._make, rows))
        check_entry_names([entry.name for entry in entries])
        return entries

    def pieces(self, tree_id: int) -> Iterator[list[EntryRow]]:
        """Yield what is in a directory, in name order and a piece at a time: a large one is never held whole.

        Where the directory may be removed meanwhile, ask afterwards whether it is still there: all was, then.

        Raises:
            CatalogCorrupt: names lead out of it.
        """
        piece = self._piece(tree_id, ">=", b"")
        while piece:
            check_entry_names([entry.name for entry in piece])
            yield piece
            piece = self._piece(tree_id, ">", piece[-1].name) if len(piece) == _PIECE else []

    def flat(self, tree_ids: Collection[int]) -> dict[int, list[EntryRow]]:
        """Return what is in those of the directories that have no directories in them, in name order, of many at once.

        Raises CatalogCorrupt as `walk` does.
        """
        found: dict[int, list[EntryRow]] = {}
        for names, parameters in in_lists(tree_ids):
            rows = self._engine.query(
                f"SELECT e.tree_id, {_ENTRY} {_ENTRY_FROM} WHERE e.tree_id IN ({names}) "
                "AND NOT EXISTS (SELECT 1 FROM tree_entry d WHERE d.tree_id = e.tree_id AND d.child_id IS NOT NULL) "
                "ORDER BY e.tree_id, e.name",
                parameters,
            )
            for tree_id, *entry in rows:
                found.setdefault(tree_id, []).append(EntryRow._make(entry))
        for entries in found.values():
            check_entry_names([entry.name for entry in entries])
            check_root_names(entry.name for entry in entries)
        return found

    def entry(self, tree_id: int, name: bytes) -> EntryRow | None:
        """Return what has that name in a directory."""
        row = self._engine.one(
            f"SELECT {_ENTRY} {_ENTRY_FROM} WHERE e.tree_id = :tree AND e.name = :name", {"tree": tree_id, "name": name}
        )
        return EntryRow(*row) if row else None

    def find(self, tree_id: int, path: bytes) -> EntryRow | None:
        """Return what is at a relative path below a directory; links are not followed."""
        at: int | None = tree_id
        entry: EntryRow | None = None
        for component in path.split(b"/"):
            entry = self.entry(at, component) if at is not None else None
            if entry is None:
                return None
            at = entry.child_id
        return entry

    def walk(self, tree_id: int, prefix: bytes = b"") -> Iterator[tuple[bytes, EntryRow]]:
        """Yield every path in a version with its entry, a directory before what is in it.

        Raises:
            CatalogCorrupt: a name leads out of the version, or a directory lies in itself.
        """
        pending = [(prefix, tree_id, self._each(tree_id, is_root=True))]
        open_ids = {tree_id}
        while pending:
            at, directory, rows = pending[-1]
            row = next(rows, None)
            if row is None:
                pending.pop()
                open_ids.discard(directory)
                continue
            if len(pending) == 1:
                check_root_names([row.name])
            yield at + row.name, row
            if row.child_id is None:
                continue
            if row.child_id in open_ids:
                raise damaged_directory(row.child_id, "it lies in itself")
            open_ids.add(row.child_id)
            pending.append((at + row.name + b"/", row.child_id, self._each(row.child_id)))

    def modes(self, tree_id: int) -> set[tuple[int, int]]:
        """Return which (kind, mode) there are at any depth below a directory."""
        rows = self._engine.query(
            "WITH RECURSIVE inside(id) AS (SELECT CAST(:tree AS BIGINT) UNION "
            "SELECT e.child_id FROM tree_entry e JOIN inside i ON e.tree_id = i.id WHERE e.child_id IS NOT NULL) "
            "SELECT DISTINCT e.kind, e.mode FROM tree_entry e JOIN inside i ON e.tree_id = i.id",
            {"tree": tree_id},
        )
        return {(kind, mode) for kind, mode in rows}

    def load(self, tree_id: int) -> Tree:
        """Return all of a version as a value of `content`.

        Raises:
            CatalogCorrupt: that cannot be a directory: names lead out of it, it lies in itself, ...
        """
        loaded: dict[int, Tree] = {}
        waiting: set[int] = set()
        # Without recursion, as trees may be very deep: a directory waits, with its rows, until all in it are loaded.
        pending: list[tuple[int, list[Row] | None]] = [(tree_id, None)]
        while pending:
            directory, rows = pending.pop()
            if directory in loaded:
                continue
            if rows is None:
                if directory in waiting:
                    raise damaged_directory(directory, "it lies in itself")
                waiting.add(directory)
                rows = self._engine.query(_LOAD, {"tree": directory})
                check_entry_names([row[0] for row in rows])
                pending.append((directory, rows))
                pending.extend((row[_CHILD], None) for row in rows if row[_CHILD] is not None)
            else:
                loaded[directory] = _loaded_tree(directory, rows, loaded)
        check_root_names(entry.name for entry in loaded[tree_id].entries)
        return loaded[tree_id]

    def insert(self, tree: Tree, blob_ids: Mapping[Digest, int]) -> int:
        """Record a directory and all below it, and return its row id. Directories that are known already are shared.

        Args:
            tree: the directory.
            blob_ids: the row of every file's content.
        """
        directories = _children_first(tree)
        with self._engine.joined():
            ids = self._known(list(directories))
            new = [directory for digest, directory in directories.items() if digest not in ids]
            if new:
                self._insert_new(new, ids, blob_ids)
        return ids[tree.record_digest]

    def orphans(self, *, after: int = 0, until: int | None = None) -> list[int]:
        """Return ids, `after` < id <= `until`, of directories that neither a version nor another directory needs."""
        rows = self._engine.query(
            f"SELECT t.id FROM tree t WHERE t.id > :after AND t.id <= :until AND {_UNNEEDED} ORDER BY t.id",
            {"after": after, "until": self._greatest() if until is None else until},
        )
        return [row[0] for row in rows]

    def collect(self) -> int:
        """Remove all directories that no version needs, at any depth, and return how many there were."""
        removed, after, greatest = 0, 0, self._greatest()
        while after < greatest:
            # A transaction a window, so that writers get their turn in between.
            with self._engine.transaction():
                orphans = self.orphans(after=after, until=after + _WINDOW)
                while orphans:
                    removed += len(orphans)
                    orphans, _ = self._remove(orphans)
            after += _WINDOW
        return removed

    def remove_unneeded(self, tree_ids: Collection[int]) -> set[int]:
        """Remove those of the directories that no version needs, with all below that nobody needs then.

        For directories that just lost their version; `collect` finds the others. Returns the blobs that were in them:
        they may still be in others.
        """
        blob_ids: set[int] = set()
        with self._engine.transaction():
            unneeded = self._unneeded(tree_ids)
            while unneeded:
                unneeded, inside = self._remove(unneeded)
                blob_ids |= inside
        return blob_ids

    def _each(self, tree_id: int, *, is_root: bool = False) -> Iterator[EntryRow]:
        for piece in self.pieces(tree_id):
            if is_root:
                check_root_names(entry.name for entry in piece)
            yield from piece

    def _piece(self, tree_id: int, after: str, name: bytes) -> list[EntryRow]:
        rows = self._engine.query(
            f"SELECT {_ENTRY} {_ENTRY_FROM} WHERE e.tree_id = :tree AND e.name {after} :name "
            "ORDER BY e.name LIMIT :most",
            {"tree": tree_id, "name": name, "most": _PIECE},
        )
        return list(map(EntryRow._make, rows))

    def _greatest(self) -> int:
        greatest: int = scalar(self._engine.one("SELECT COALESCE(MAX(id), 0) FROM tree"))
        return greatest

    def _remove(self, tree_ids: list[int]) -> tuple[list[int], set[int]]:
        """Remove directories, and return those below them that nobody needs any more, and the blobs in them."""
        children: set[int] = set()
        blob_ids: set[int] = set()
        for names, parameters in in_lists(tree_ids):
            rows = self._engine.query(
                f"SELECT child_id, blob_id FROM tree_entry WHERE tree_id IN ({names})", parameters
            )
            children.update(row[0] for row in rows if row[0] is not None)
            blob_ids.update(row[1] for row in rows if row[1] is not None)
            self._engine.execute(f"DELETE FROM tree_entry WHERE tree_id IN ({names})", parameters)
            self._engine.execute(f"DELETE FROM tree WHERE id IN ({names})", parameters)
        return self._unneeded(children), blob_ids

    def _unneeded(self, tree_ids: Collection[int]) -> list[int]:
        """Those of the directories that nobody needs."""
        unneeded: list[int] = []
        for names, parameters in in_lists(tree_ids):
            rows = self._engine.query(f"SELECT t.id FROM tree t WHERE t.id IN ({names}) AND {_UNNEEDED}", parameters)
            unneeded += [row[0] for row in rows]
        return unneeded

    def _known(self, record_digests: list[Digest]) -> dict[Digest, int]:
        known: dict[Digest, int] = {}
        for names, parameters in in_lists(record_digests):
            known.update(
                self._engine.query(f"SELECT record_digest, id FROM tree WHERE record_digest IN ({names})", parameters)
            )
        return known

    def _insert_new(self, new: list[Tree], ids: dict[Digest, int], blob_ids: Mapping[Digest, int]) -> None:
        rows_of_trees = [
            {
                "digest": directory.digest,
                "record_digest": directory.record_digest,
                "files": directory.files,
                "directories": directory.directories,
                "bytes": directory.bytes,
            }
            for directory in new
        ]
        new_ids = insert_rows(self._engine, "tree", rows_of_trees)
        ids.update((directory.record_digest, id_) for directory, id_ in zip(new, new_ids, strict=True))
        rows = [
            _entry_parameters(entry, ids[directory.record_digest], ids, blob_ids)
            for directory in new
            for entry in directory.entries
        ]
        self._engine.executemany(_INSERT_ENTRY, rows)


def files_of(tree: Tree) -> dict[Digest, FileDigest]:
    """Return the contents of all files below a directory, each once."""
    return {
        entry.file.digest: entry.file
        for directory in _children_first(tree).values()
        for entry in directory.entries
        if entry.file is not None
    }


def _children_first(tree: Tree) -> dict[Digest, Tree]:
    """All different directories below, and itself at the end; without recursion, as trees may be very deep."""
    found: dict[Digest, Tree] = {}
    pending = [(tree, False)]
    while pending:
        directory, expanded = pending.pop()
        if directory.record_digest in found:
            continue
        if expanded:
            found[directory.record_digest] = directory
            continue
        pending.append((directory, True))
        pending.extend((entry.tree, False) for entry in directory.entries if entry.tree is not None)
    return found


def _loaded_tree(tree_id: int, rows: Sequence[Row], loaded: Mapping[int, Tree]) -> Tree:
    try:
        return Tree(tuple(_loaded_entry(row, loaded) for row in rows))
    except (ValueError, TypeError, OverflowError) as error:
        raise damaged_directory(tree_id, str(error)) from error


def _loaded_entry(row: Row, loaded: Mapping[int, Tree]) -> Entry:
    name, kind, mode, mtime_ns, child_id, target, digest, size, blocks = row
    file = FileDigest(digest, size, blocks) if digest is not None else None
    tree = loaded[child_id] if child_id is not None else None
    return Entry(name, EntryKind(kind), mode, mtime_ns, file, tree, target)


def _entry_parameters(
    entry: Entry, tree_id: int, tree_ids: Mapping[Digest, int], blob_ids: Mapping[Digest, int]
) -> dict[str, Any]:
    return {
        "tree_id": tree_id,
        "name": entry.name,
        "kind": int(entry.kind),
        "mode": entry.mode & 0o777,
        "mtime_ns": max(_FIRST_TIME, min(entry.mtime_ns, _LAST_TIME)),
        "blob_id": blob_ids[entry.file.digest] if entry.file is not None else None,
        "child_id": tree_ids[entry.tree.record_digest] if entry.tree is not None else None,
        "target": entry.target,
    }
