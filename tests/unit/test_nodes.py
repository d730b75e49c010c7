"""The node table: a number means the same file whatever its name, and is forgotten when nobody needs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs_mount.incoming.nodes import Descriptor, DraftNode, DraftNodes
from artfs_mount.tree.inode import INCOMING_ROOT


@pytest.fixture
def nodes(tmp_path: Path) -> DraftNodes:
    return DraftNodes(os.fsencode(tmp_path))


def look_up(nodes: DraftNodes, path: str) -> DraftNode:
    """As the kernel does, name by name; it remembers each once more."""
    node = nodes.root
    for name in path.encode().split(b"/"):
        node = nodes.at(node, name, os.lstat(nodes.child_path(node, name)))
        node.lookups += 1
    return node


def forget(nodes: DraftNodes, node: DraftNode, times: int | None = None) -> None:
    node.lookups -= node.lookups if times is None else times
    nodes.release_if_unused(node)


def test_a_file_has_one_number(nodes: DraftNodes, tmp_path: Path) -> None:
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "file").touch()
    os.link(tmp_path / "draft" / "file", tmp_path / "draft" / "other")
    node = look_up(nodes, "draft/file")
    assert look_up(nodes, "draft/file") is node
    assert look_up(nodes, "draft/other") is node
    assert nodes.get(node.number) is node
    assert nodes.path(node) == os.fsencode(tmp_path / "draft" / "file")
    assert nodes.draft_of(node) == b"draft"


def test_inode_numbers_that_need_all_bits(nodes: DraftNodes, tmp_path: Path) -> None:
    """Some file systems put which disk it is into the uppermost bits."""
    (tmp_path / "file").touch()
    found = os.lstat(tmp_path / "file")
    numbers = set()
    for inode in (2**63 + 5, 2**62 + 5, 2**55, 5):
        status = os.stat_result((found.st_mode, inode, *found[2:]))
        numbers.add(nodes.at(nodes.root, b"file", status).number)
    assert len(numbers) == 4
    assert all(number < 2**63 for number in numbers)


def test_the_root_is_always_there(nodes: DraftNodes) -> None:
    assert nodes.get(INCOMING_ROOT) is nodes.root
    nodes.release_if_unused(nodes.root)
    assert nodes.get(INCOMING_ROOT) is nodes.root
    assert nodes.draft_of(nodes.root) is None


def test_a_node_follows_its_file_to_another_name(nodes: DraftNodes, tmp_path: Path) -> None:
    for draft in ("one", "two"):
        (tmp_path / draft).mkdir()
    (tmp_path / "one" / "deep").mkdir()
    (tmp_path / "one" / "deep" / "file").touch()
    file, deep = look_up(nodes, "one/deep/file"), look_up(nodes, "one/deep")
    one, two = look_up(nodes, "one"), look_up(nodes, "two")
    (tmp_path / "one" / "deep").rename(tmp_path / "two" / "moved")
    nodes.unlink(deep, one, b"deep", last=False)
    nodes.link(deep, two, b"moved")
    assert nodes.path(file) == os.fsencode(tmp_path / "two" / "moved" / "file")
    assert nodes.draft_of(file) == b"two"


def test_a_node_goes_with_the_last_who_needs_it(nodes: DraftNodes, tmp_path: Path) -> None:
    (tmp_path / "draft" / "deep").mkdir(parents=True)
    (tmp_path / "draft" / "deep" / "file").touch()
    file = look_up(nodes, "draft/deep/file")
    look_up(nodes, "draft/deep/file")
    file.opens = 1
    for name in ("draft/deep", "draft"):
        forget(nodes, look_up(nodes, name))
    assert len(nodes) == 4
    forget(nodes, file, times=1)
    forget(nodes, file, times=1)
    assert len(nodes) == 4
    file.opens = 0
    nodes.release_if_unused(file)
    assert len(nodes) == 1
    with pytest.raises(KeyError):
        nodes.get(file.number)


def test_a_removed_file_gives_its_inode_to_the_next(nodes: DraftNodes, tmp_path: Path) -> None:
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "file").touch()
    file, draft = look_up(nodes, "draft/file"), look_up(nodes, "draft")
    status = os.lstat(tmp_path / "draft" / "file")
    nodes.unlink(file, draft, b"file", last=True)
    assert file.unlinked
    with pytest.raises(FileNotFoundError):
        nodes.path(file)
    (tmp_path / "draft" / "file").rename(tmp_path / "draft" / "next")
    following = nodes.at(draft, b"next", status)
    assert following is not file
    assert following.number != file.number, "the kernel still knows the old one"


def test_a_draft_that_is_gone_as_a_whole_gives_all_its_inodes(nodes: DraftNodes, tmp_path: Path) -> None:
    (tmp_path / "draft" / "deep").mkdir(parents=True)
    (tmp_path / "draft" / "deep" / "file").touch()
    (tmp_path / "other").mkdir()
    file, other = look_up(nodes, "draft/deep/file"), look_up(nodes, "other")
    backing = [os.lstat(tmp_path / path).st_ino for path in ("draft", "draft/deep", "draft/deep/file")]
    nodes.cut_off(b"draft")
    assert [nodes.known(number) for number in backing] == [None, None, None]
    assert nodes.draft_of(file) is None
    assert nodes.draft_of(other) == b"other"
    assert nodes.get(file.number) is file
    forget(nodes, file)
    with pytest.raises(KeyError):
        nodes.get(file.number)


def test_a_stub_in_the_files_place_is_the_same_node(nodes: DraftNodes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "stub").touch()
    node, number = look_up(nodes, "file"), os.lstat(tmp_path / "stub").st_ino
    (tmp_path / "stub").rename(tmp_path / "file")
    nodes.rebind(node, number)
    assert look_up(nodes, "file") is node
    assert nodes.known(number) is node


def test_a_descriptor_is_closed_by_its_last_user() -> None:
    reading, writing = os.pipe()
    descriptor = Descriptor(writing, writable=True)
    user = descriptor
    del descriptor
    os.write(user.number, b"x")
    del user
    assert os.read(reading, 2) == b"x"
    assert os.read(reading, 1) == b"", "the writing end is closed"
    os.close(reading)
