"""What differs between two trees, as a comparison path by path finds it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given

from artfs.content.diff import diff
from artfs.content.tree import Entry, EntryKind, Tree
from support.trees import file_entry, flat, trees


@given(trees, trees)
def test_diff_finds_what_comparing_every_path_finds(old: Tree, new: Tree) -> None:
    before, after = flat(old), flat(new)
    expected = {
        path: "removed" if path not in after else "added" if path not in before else "changed"
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }
    changes = list(diff(old, new))
    assert {change.path: change.status for change in changes} == expected
    assert len(changes) == len(expected)
    for change in changes:
        was, now = old.find(change.path), new.find(change.path)
        assert (change.old, change.new) == (was, now)
        assert (change.old_size, change.new_size) == (was.size if was else 0, now.size if now else 0)


@given(trees)
def test_equal_trees_do_not_differ(tree: Tree) -> None:
    assert list(diff(tree, tree)) == []


def test_equal_subtrees_are_not_looked_into() -> None:
    shared = {b"big/%d" % index: file_entry(b"x") for index in range(10)}
    old = Tree.from_files({**shared, b"small/a": file_entry(b"1")})
    new = Tree.from_files({**shared, b"small/a": file_entry(b"2")})
    looked_into: list[object] = []

    def children(directory: Tree | Entry) -> Sequence[Entry]:
        looked_into.append(directory.digest)
        return directory.entries

    assert [change.path for change in diff(old, new, children)] == [b"small/a"]
    big = old.find(b"big")
    assert big is not None and big.digest not in looked_into


def test_a_directory_changes_itself_only_by_its_mode() -> None:
    def tree(mode: int, content: bytes) -> Tree:
        inner = Tree((file_entry(content, b"f"),))
        return Tree((Entry(b"d", EntryKind.DIRECTORY, mode, 0, tree=inner),))

    assert [c.path for c in diff(tree(0o755, b"1"), tree(0o755, b"2"))] == [b"d/f"]
    assert [c.path for c in diff(tree(0o755, b"1"), tree(0o700, b"1"))] == [b"d"]


class Row:
    """A link as the catalog has it: without a digest."""

    name, kind, mode, size, digest = b"link", int(EntryKind.SYMLINK), 0o777, 1, None

    def __init__(self, target: bytes) -> None:
        self.target = target


class Root:
    def __init__(self, digest: bytes, target: bytes) -> None:
        self.digest = digest
        self.rows = [Row(target)]


def test_links_are_compared_by_target_where_they_have_no_digest() -> None:
    def rows(root: Root) -> list[Row]:
        return root.rows

    assert [c.path for c in diff(Root(b"1", b"a"), Root(b"2", b"b"), rows)] == [b"link"]
    assert [c.path for c in diff(Root(b"1", b"a"), Root(b"2", b"a"), rows)] == []
