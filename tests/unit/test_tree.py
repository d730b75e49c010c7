"""Trees: one digest that says all, and a numbering that the totals alone can follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.content.digest import FileDigest, hash_bytes
from artfs.content.tree import Entry, EntryKind, Tree
from support.trees import file_entry, flat, times, trees


@given(trees, trees)
def test_digests_are_equal_only_for_equal_content(one: Tree, other: Tree) -> None:
    assert (one.digest == other.digest) == (flat(one) == flat(other))
    assert (one.record_digest == other.record_digest) == (flat(one, times=True) == flat(other, times=True))


@given(trees, st.data())
def test_any_single_change_shows_in_the_digest(tree: Tree, data: st.DataObject) -> None:
    paths = [path for path, _ in tree.walk()]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    entry = tree.find(path)
    assert entry is not None
    changed = dict(tree.walk())
    if entry.file is not None and data.draw(st.booleans()):
        other = FileDigest(hash_bytes(b"quite other content"), 19)
        changed[path] = Entry(entry.name, entry.kind, entry.mode, entry.mtime_ns, file=other)
    elif entry.target is not None:
        changed[path] = Entry(entry.name, entry.kind, entry.mode, entry.mtime_ns, target=entry.target + b"x")
    else:
        changed[path] = Entry(entry.name, entry.kind, entry.mode ^ 0o100, entry.mtime_ns, entry.file, entry.tree)
    assert Tree.from_files(changed).digest != tree.digest


@given(trees, times)
def test_a_time_changes_the_record_and_not_the_digest(tree: Tree, time: int) -> None:
    def touched(entry: Entry) -> Entry:
        return Entry(entry.name, entry.kind, entry.mode, time, entry.file, entry.tree, entry.target)

    changed = Tree.from_files({path: touched(entry) for path, entry in tree.walk()})
    assert changed.digest == tree.digest
    was = {path: entry.mtime_ns for path, entry in tree.walk()}
    assert (changed.record_digest == tree.record_digest) == all(mtime == time for mtime in was.values())


@given(trees)
def test_totals_count_everything_below(tree: Tree) -> None:
    entries = [entry for _, entry in tree.walk()]
    assert tree.files == sum(entry.kind is not EntryKind.DIRECTORY for entry in entries)
    assert tree.directories == 1 + sum(entry.kind is EntryKind.DIRECTORY for entry in entries)
    assert tree.bytes == sum(entry.size for entry in entries if entry.kind is EntryKind.FILE)


@given(trees)
def test_directories_are_numbered_in_preorder_by_totals_alone(tree: Tree) -> None:
    def ordinals(tree: Tree, own: int) -> list[int]:
        found, following = [own], own + 1
        for entry in tree.entries:
            if entry.tree is not None:
                found += ordinals(entry.tree, following)
                following += entry.tree.directories
        return found

    assert ordinals(tree, 0) == list(range(tree.directories))


@given(trees)
def test_walking_and_finding_agree(tree: Tree) -> None:
    walked = list(tree.walk())
    assert len({path for path, _ in walked}) == len(walked)
    for path, entry in walked:
        assert tree.find(path) is entry
        assert tree.find(path + b"/nothing-is-here") is None
    assert Tree.from_files(dict(walked)) == tree


def test_a_tree_is_built_from_paths() -> None:
    tree = Tree.from_files({b"a/b/c": file_entry(b"1"), b"a/d": file_entry(b"2"), b"e": file_entry(b"3")}, mode=0o750)
    assert [path for path, _ in tree.walk()] == [b"a", b"a/b", b"a/b/c", b"a/d", b"e"]
    directory = tree.find(b"a/b")
    assert directory is not None and directory.mode == 0o750


@pytest.mark.parametrize("paths", [[b"a", b"a/b"], [b"a/b", b"a"]])
def test_a_path_is_not_both_file_and_directory(paths: list[bytes]) -> None:
    with pytest.raises(ValueError, match="both a directory and a file"):
        Tree.from_files({path: file_entry(b"") for path in paths})


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_a_name_that_would_leave_the_tree_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        Tree((file_entry(b"", name),))


def test_entries_are_sorted_distinct_and_what_their_kind_says() -> None:
    with pytest.raises(ValueError, match="sorted and distinct"):
        Tree((file_entry(b"", b"b"), file_entry(b"", b"a")))
    with pytest.raises(ValueError, match="sorted and distinct"):
        Tree((file_entry(b"", b"a"), file_entry(b"", b"a")))
    with pytest.raises(ValueError, match="has not what a directory has"):
        Tree((Entry(b"a", EntryKind.DIRECTORY, 0o755, 0, target=b"x"),))


def test_a_tree_may_be_deeper_than_the_stack() -> None:
    def chain(content: bytes) -> Tree:
        tree = Tree((file_entry(content),))
        for _ in range(3000):
            tree = Tree((Entry(b"d", EntryKind.DIRECTORY, 0o755, 0, tree=tree),))
        return tree

    tree = chain(b"x")
    assert tree.directories == 3001
    assert sum(1 for _ in tree.walk()) == 3001
    assert tree != chain(b"y") and tree == chain(b"x")
    assert Tree.from_files({path: entry for path, entry in tree.walk() if entry.tree is None}) == tree
    assert Tree.from_files({b"top": Entry(b"", EntryKind.DIRECTORY, 0o755, 0, tree=tree)}).directories == 3002
