"""Inside a version: what `ls -l`, `du`, `find` and `tar` see, and that it is found again from inode numbers alone."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artfs.catalog.engine import Engine
from artfs.content.tree import Entry
from artfs.workspace.workspace import Workspace
from artfs_mount.tree import inode
from artfs_mount.tree.node import FOREVER, Directory, Stale, TreeNode
from artfs_mount.tree.tree import MountTree
from artfs_mount.tree.version import VersionFile, VersionRoot
from support.entries import directory, file, link, names

At = Callable[[str], Any]
Record = Callable[..., Any]


def test_files_show_their_own_size_time_and_mode(record: Record, at: At) -> None:
    record("x", {b"plain": file(b"a" * 513, mode=0o640, mtime_ns=42), b"run.sh": file(b"#!", mode=0o744)})
    plain, program = at("artifacts/x/1/plain").attributes(), at("artifacts/x/1/run.sh").attributes()
    assert (plain.size, plain.blocks, plain.mtime_ns, plain.nlink) == (513, 2, 42, 1)
    # The group that had rights is not kept, so that its bits count where others have them too.
    assert plain.mode == stat.S_IFREG | 0o400
    assert program.mode == stat.S_IFREG | 0o544


def test_directories_show_their_own_time_and_cannot_be_written(record: Record, at: At) -> None:
    record("x", {b"d": directory(mtime_ns=11), b"d/f": file()}, mtime_ns=12)
    for path, mtime_ns, mode in (("artifacts/x/1", 12, 0o555), ("artifacts/x/1/d", 11, 0o500)):
        attributes = at(path).attributes()
        assert attributes.is_directory
        assert (attributes.mode, attributes.mtime_ns, attributes.size) == (stat.S_IFDIR | mode, mtime_ns, 0)


def test_links_show_their_target_as_it_was_written(record: Record, at: At) -> None:
    record("x", {b"l": link(b"../else/\xff where", mtime_ns=3)})
    node = at("artifacts/x/1/l")
    attributes = node.attributes()
    assert node.target() == b"../else/\xff where"
    assert (attributes.size, attributes.mode, attributes.mtime_ns) == (15, stat.S_IFLNK | 0o777, 3)


def test_names_need_not_be_utf8(record: Record, at: At) -> None:
    record("x", {b"caf\xe9/\xff\n": file(b"1")})
    assert names(at("artifacts/x/1")) == [b"caf\xe9"]
    assert at("artifacts/x/1/caf\udce9/\udcff\n").attributes().size == 1


@pytest.mark.parametrize("name", [b"missing", b"", b"a", b"b ", b"B", b"\xff", b".."])
def test_a_name_that_is_not_there_is_not_found(record: Record, at: At, name: bytes) -> None:
    record("x", {b"aa": file(b"1"), b"b": file(b"2")})
    with pytest.raises(FileNotFoundError):
        at("artifacts/x/1").lookup(name)


def test_an_empty_version_and_an_empty_directory_are_empty(record: Record, at: At) -> None:
    record("x", {})
    record("x", {b"d": directory()})
    assert names(at("artifacts/x/1")) == []
    assert names(at("artifacts/x/2/d")) == []


def test_listing_and_looking_up_give_the_same(record: Record, at: At) -> None:
    record("x", {b"a/b/c": file(b"1"), b"a/d": link(b"b"), b"e": file(b"2")})
    pending = [at("artifacts/x/1")]
    seen = []
    while pending:
        found = pending.pop()
        for name, node in found.entries():
            seen.append(name)
            assert found.lookup(name).attributes() == node.attributes()
            if isinstance(node, Directory):
                pending.append(node)
    assert sorted(seen) == [b"a", b"b", b"c", b"d", b"e"]


def test_a_listing_can_be_taken_in_parts(record: Record, at: At) -> None:
    record("x", {b"%d" % number: file(b"%d" % number) for number in range(9)})
    listing = at("artifacts/x/1").entries()
    assert len(listing) == 9
    assert listing[3][0] == b"3"
    assert [name for name, _ in listing[7:]] == [b"7", b"8"]
    assert listing[-1][1].attributes() == list(listing)[-1][1].attributes()
    with pytest.raises(IndexError):
        listing[9]


def test_everything_inside_may_be_kept_by_the_kernel(record: Record, at: At) -> None:
    record("x", {b"d/f": file(), b"l": link(b"d")})
    for path in ("artifacts/x/1/d", "artifacts/x/1/d/f", "artifacts/x/1/l", "artifacts/x/1/.artfs"):
        attributes = at(path).attributes()
        assert (attributes.seconds, attributes.name_seconds) == (FOREVER, FOREVER), path


def test_equal_files_and_directories_have_inodes_of_their_own(record: Record, at: At) -> None:
    equal: dict[bytes, Entry] = {b"same": file(b"1"), b"twin": file(b"1"), b"d/f": file(b"1"), b"e/f": file(b"1")}
    record("x", equal)
    record("x", equal)
    record("y", equal, user="31234")
    paths = [
        f"artifacts/{version}/{path}" for version in ("x/1", "x/2", "y/1") for path in ("same", "twin", "d", "d/f")
    ]
    numbers = {path: at(path).ino for path in [*paths, *(path.replace("/d", "/e") for path in paths)]}
    assert len(set(numbers.values())) == len(numbers)
    assert {inode.version_of(number) for path, number in numbers.items() if path.startswith("artifacts/x/2")} == {2}


def test_a_file_is_found_from_its_number_alone(record: Record, workspace: Workspace, at: At) -> None:
    record("x", {b"d/f": file(b"abc", mode=0o755), b"d/l": link(b"f")})
    new_daemon = MountTree(workspace, status=lambda: b"")
    for path in ("artifacts/x/1/d/f", "artifacts/x/1/d/l"):
        known = at(path)
        found = new_daemon.node(known.ino)
        assert found.attributes() == known.attributes()
        assert type(found) is type(known)


def test_the_content_of_a_file_is_read_and_checked(seal_folder: Any, at: At, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    seal_folder(tmp_path / "model.bin", "model")
    node = at("artifacts/model/1/model.bin")
    assert isinstance(node, VersionFile)
    with node.open() as reader:
        assert bytes(reader.read(0, 100)) == b"weights"


paths = st.lists(st.sampled_from([b"a", b"b", b"c", b"\xff"]), min_size=1, max_size=5).map(b"/".join)


@given(st.lists(paths, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_everything_is_found_from_its_number_alone(record: Record, workspace: Workspace, wanted: list[bytes]) -> None:
    version = record("x", {path: directory() for path in wanted} | {path + b"/file": file() for path in wanted[:3]})
    top: Any = MountTree(workspace, status=lambda: b"").node(inode.version_entry(version.id, 0))
    nodes = [top, *_nodes_below(top)]
    numbers = [inode.unpack_pair(inode.unpack(node.ino)[1], inode.ORDINAL_BITS) for node in nodes]
    assert numbers == [(version.id, ordinal) for ordinal in range(len(nodes))], "numbered in preorder"
    new_daemon = MountTree(workspace, status=lambda: b"")
    for known in nodes:
        found = new_daemon.node(known.ino)
        assert type(found) is type(known)
        assert found.attributes() == known.attributes()
        if isinstance(found, Directory):
            assert [(name, node.ino) for name, node in found.entries()] == [
                (name, node.ino) for name, node in known.entries()
            ]
    with pytest.raises(Stale):
        new_daemon.node(inode.version_entry(version.id, len(nodes)))


def test_directories_with_equal_content_are_told_apart(record: Record, workspace: Workspace, tree: MountTree) -> None:
    entries: dict[bytes, Entry] = {b"%s/sub/f" % name: file() for name in (b"a", b"b", b"c")}
    version = record("x", entries)
    paths = [(), (b"a",), (b"a", b"sub"), (b"b",), (b"b", b"sub"), (b"c",), (b"c", b"sub")]
    for ordinal, path in zip((0, 1, 2, 4, 5, 7, 8), paths, strict=True):  # a file is in each `sub`
        node: TreeNode = tree.node(inode.version_entry(version.id, 0))
        for component in path:
            assert isinstance(node, Directory)
            node = node.lookup(component)
        assert node.ino == inode.version_entry(version.id, ordinal)


def test_five_thousand_files_take_a_query_a_piece_and_then_none(
    record: Record, workspace: Workspace, tree: MountTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = record("x", {b"%04d" % number: file(b"%d" % number) for number in range(5000)})
    node = tree.node(inode.version_entry(version.id, 0))
    assert isinstance(node, VersionRoot)
    queries = _count_queries(workspace.catalog.engine, monkeypatch)
    sizes = [entry.attributes().size for _, entry in node.entries()]
    assert len(sizes) == 5000
    assert sum(sizes) == sum(len(str(number)) for number in range(5000))
    few = len(queries)
    assert few < 6
    assert [entry.attributes().size for _, entry in node.entries()] == sizes
    assert all(node.lookup(b"%04d" % number).ino for number in range(5000))
    assert len(queries) == few


def test_a_directory_larger_than_the_whole_cache_is_shown(record: Record, workspace: Workspace) -> None:
    version = record("x", {b"d/%02d" % number: file() for number in range(50)})
    small = MountTree(workspace, status=lambda: b"", cached_entries=10)
    node = small.node(inode.version_entry(version.id, 1))
    assert isinstance(node, Directory)
    assert len(names(node)) == 50


def test_the_directory_of_a_purged_version_is_an_error_and_not_empty(
    record: Record, workspace: Workspace, at: At
) -> None:
    version = record("x", {b"d/f": file()})
    inside = at("artifacts/x/1/d")
    workspace.catalog.versions.purge(version.id, "test")
    workspace.catalog.trees.collect()
    with pytest.raises(Stale):
        inside.entries()
    with pytest.raises(Stale):
        MountTree(workspace, status=lambda: b"").node(inside.ino)


def test_numbers_of_nothing_are_not_found(tree: MountTree) -> None:
    for kind in set(inode.InodeKind) - {inode.InodeKind.ORDER}:  # an order may be about anything
        with pytest.raises(Stale):
            node = tree.node(inode.pack(kind, 0xABCDEF012345))
            node.attributes()
    with pytest.raises(Stale):
        tree.node(0x7F << inode.PAYLOAD_BITS)


def _nodes_below(top: TreeNode) -> list[Any]:
    found: list[TreeNode] = []
    assert isinstance(top, Directory)
    for _, node in top.entries():
        found += [node, *(_nodes_below(node) if isinstance(node, Directory) else [])]
    return found


def _count_queries(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list to which the text of every query will be added."""
    asked: list[str] = []
    ask = engine.query

    def counting(sql: str, *parameters: Any) -> Any:
        asked.append(sql)
        return ask(sql, *parameters)

    monkeypatch.setattr(engine, "query", counting)
    return asked
