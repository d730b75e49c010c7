"""Directories as rows: they come back as they were, and equal ones are shared."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artfs.catalog import Catalog
from artfs.content.digest import BLOCK_SIZE, Hasher, hash_bytes
from artfs.content.tree import Entry, EntryKind, Tree
from support.catalogs import save, tree_with
from support.trees import file_entry, flat, trees


def _saved(catalog: Catalog, tree: Tree) -> int:
    tree_id = save(catalog, "artifact", tree).tree_id
    assert tree_id is not None
    return tree_id


@pytest.fixture(scope="module")
def shared_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """One catalog for many examples: what one leaves there is found by the next."""
    return Catalog.open(tmp_path_factory.mktemp("trees") / "catalog.db")


@given(tree=trees)
def test_a_tree_comes_back_as_it_was(shared_catalog: Catalog, tree: Tree) -> None:
    tree_id = _saved(shared_catalog, tree)
    loaded = shared_catalog.trees.load(tree_id)
    assert flat(loaded, times=True) == flat(tree, times=True)
    assert loaded.record_digest == tree.record_digest
    row = shared_catalog.trees.tree(tree_id)
    assert row is not None
    assert (row.digest, row.files, row.directories, row.bytes) == (
        tree.digest,
        tree.files,
        tree.directories,
        tree.bytes,
    )


@given(tree=trees)
def test_rows_say_what_entries_say(shared_catalog: Catalog, tree: Tree) -> None:
    tree_id = _saved(shared_catalog, tree)
    walked = dict(shared_catalog.trees.walk(tree_id))
    assert list(walked) == [path for path, _ in tree.walk()]
    for path, entry in tree.walk():
        row = walked[path]
        assert (row.name, row.kind, row.mode, row.mtime_ns) == (entry.name, entry.kind, entry.mode, entry.mtime_ns)
        assert (row.size, row.target) == (entry.size, entry.target)
        assert row.digest == (None if entry.kind is EntryKind.SYMLINK else entry.digest)
        totals = (entry.tree.directories, entry.tree.files, entry.tree.bytes) if entry.tree else (None, None, None)
        assert (row.directories, row.files, row.bytes) == totals
        assert shared_catalog.trees.find(tree_id, path) == row


def test_what_is_not_there_is_not_found(catalog: Catalog) -> None:
    tree_id = _saved(catalog, tree_with({b"d/f": b"1"}))
    for path in (b"x", b"d/x", b"d/f/x", b""):
        assert catalog.trees.find(tree_id, path) is None
    assert catalog.trees.tree(10**9) is None


def test_a_large_directory_is_read_in_pieces(catalog: Catalog) -> None:
    names = [b"%05d" % number for number in range(4_500)]
    tree_id = _saved(catalog, tree_with(dict.fromkeys(names, b"1")))
    pieces = list(catalog.trees.pieces(tree_id))
    assert [entry.name for piece in pieces for entry in piece] == names
    assert max(map(len, pieces)) < len(names)
    assert [path for path, _ in catalog.trees.walk(tree_id)] == names
    assert list(catalog.trees.pieces(10**9)) == []


def test_a_tree_may_be_as_deep_as_it_likes(catalog: Catalog) -> None:
    tree = tree_with({b"f": b"1"})
    for _ in range(3000):
        tree = Tree.of([Entry(b"d", EntryKind.DIRECTORY, 0o755, 0, tree=tree)])
    tree_id = _saved(catalog, tree)
    assert catalog.trees.load(tree_id).record_digest == tree.record_digest
    assert sum(1 for _ in catalog.trees.walk(tree_id)) == 3001


def test_shared_subtrees_cost_nothing(catalog: Catalog) -> None:
    tree = tree_with({b"f": b"1"})
    for _ in range(40):  # 2**40 paths
        tree = Tree.of([Entry(name, EntryKind.DIRECTORY, 0o755, 0, tree=tree) for name in (b"a", b"b")])
    tree_id = _saved(catalog, tree)
    assert catalog.trees.load(tree_id).record_digest == tree.record_digest


def test_blocks_of_large_files_are_kept(catalog: Catalog) -> None:
    hasher = Hasher()
    hasher.update(b"x" * (BLOCK_SIZE + 1))
    file = hasher.finish()
    tree_id = _saved(catalog, Tree.of([Entry(b"large", EntryKind.FILE, 0o644, 0, file)]))
    assert catalog.trees.load(tree_id).entries[0].file == file


def test_times_that_no_column_can_hold_are_brought_into_range(catalog: Catalog) -> None:
    tree_id = _saved(
        catalog, Tree.of([file_entry(b"1", b"late", mtime_ns=2**80), file_entry(b"1", b"early", mtime_ns=-(2**80))])
    )
    assert [row.mtime_ns for row in catalog.trees.entries(tree_id)] == [-(2**63), 2**63 - 1]


def test_ids_are_never_used_again(catalog: Catalog) -> None:
    first = save(catalog, "artifact", {b"a": b"1"})
    assert first.tree_id is not None
    entry = catalog.trees.entries(first.tree_id)[0]
    catalog.versions.purge(first.id, "test")
    catalog.trees.collect()
    again = _saved(catalog, tree_with({b"a": b"1"}))
    assert again > first.tree_id
    assert catalog.trees.entries(again)[0].inode > entry.inode


@settings(max_examples=25)
@given(kept=st.lists(trees, max_size=3), purged=st.lists(trees, max_size=3))
def test_collection_removes_exactly_what_no_version_needs(
    kept: list[Tree], purged: list[Tree], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Catalog.open(tmp_path_factory.mktemp("collect") / "catalog.db") as catalog:
        for tree in kept:
            save(catalog, "kept", tree)
        for tree in purged:
            catalog.versions.purge(save(catalog, "purged", tree).id, "test")
        catalog.trees.collect()
        needed = {directory.record_digest for tree in kept for directory in _directories(tree)}
        assert {row[0] for row in catalog.engine.query("SELECT record_digest FROM tree")} == needed
        assert catalog.trees.orphans() == []
        assert catalog.check() == []


def _directories(tree: Tree) -> list[Tree]:
    return [tree, *(entry.tree for _, entry in tree.walk() if entry.tree is not None)]


def test_removing_some_directories_leaves_what_others_need(catalog: Catalog) -> None:
    kept = save(catalog, "kept", {b"shared/f": b"1", b"own": b"2"})
    gone = save(catalog, "gone", {b"shared/f": b"1", b"other/f": b"3"})
    assert gone.tree_id is not None
    assert kept.tree_id is not None
    assert catalog.trees.remove_unneeded([gone.tree_id, kept.tree_id]) == set()
    catalog.versions.purge(gone.id, "test")
    inside = catalog.blobs.get(hash_bytes(b"3"))
    assert inside is not None
    assert catalog.trees.remove_unneeded([gone.tree_id, kept.tree_id]) == {inside.id}
    assert catalog.trees.tree(gone.tree_id) is None
    assert catalog.trees.load(kept.tree_id) == tree_with({b"shared/f": b"1", b"own": b"2"})
    assert catalog.trees.collect() == 0
