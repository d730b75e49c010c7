"""The top of the mount."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from artfs.workspace.workspace import Workspace
from artfs_mount.tree.inode import INCOMING_ROOT
from artfs_mount.tree.node import FOREVER
from artfs_mount.tree.tree import MountTree
from support.entries import names

At = Callable[[str], Any]


def test_the_root_lists_what_people_need(tree: MountTree) -> None:
    assert names(tree.root) == [b"README.txt", b"artifacts", b"incoming", b"lineage", b"models", b"runs", b"tags"]
    assert tree.node(1).attributes() == tree.root.attributes()


def test_the_state_of_the_daemon_is_there_but_not_listed(at: At) -> None:
    assert names(at(".artfs")) == [b"orders", b"status.json"]
    assert json.loads(at(".artfs/status.json").content()) == {"drafts": []}
    with pytest.raises(FileNotFoundError):
        at(".artfs/other")


def test_the_readme_is_one_page_of_ascii(at: At) -> None:
    readme = at("README.txt")
    text = readme.content().decode("ascii")
    assert len(text.splitlines()) <= 50
    assert all(len(line) <= 110 for line in text.splitlines())
    assert readme.attributes().size == len(text)
    assert readme.attributes().seconds == FOREVER


def test_what_is_always_there_is_asked_for_once(at: At) -> None:
    for path in ("README.txt", "artifacts", ".artfs"):
        assert at(path).attributes().name_seconds == FOREVER, path


def test_incoming_is_a_place_for_the_drafts(at: At) -> None:
    incoming = at("incoming")
    assert incoming.ino == INCOMING_ROOT
    assert incoming.attributes().is_directory
    assert incoming.attributes().name_seconds == 0, "the adapter answers for it"


def test_nothing_else_is_there(tree: MountTree) -> None:
    for name in (b"missing", b"readme.txt", b"..", b"", b"\xff"):
        with pytest.raises(FileNotFoundError):
            tree.root.lookup(name)


def test_the_status_is_made_anew_for_each_look(workspace: Workspace) -> None:
    states = iter([b"one", b"two!"])
    root = MountTree(workspace, status=lambda: next(states)).root
    directory: Any = root.lookup(b".artfs")
    first, second = directory.lookup(b"status.json"), directory.lookup(b"status.json")
    assert (first.content(), second.content()) == (b"one", b"two!")
    assert first.ino != second.ino, "the kernel never updates the size of a file that it knows"
