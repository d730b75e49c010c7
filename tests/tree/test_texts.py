"""Generated files: the bytes belong to the inode number for as long as the kernel knows it, and no longer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.workspace.workspace import Workspace
from artfs_mount.tree.node import Stale, Text
from artfs_mount.tree.tree import MountTree


def test_a_text_is_kept_while_the_kernel_knows_it(tree: MountTree) -> None:
    text = Text(b"/t", b"content", 0)
    for _ in range(3):
        tree.remember(text)
    tree.forget(text.ino, 2)
    assert tree.node(text.ino) is text
    tree.forget(text.ino, 1)
    with pytest.raises(Stale):
        tree.node(text.ino)


def test_old_content_can_be_read_while_there_is_new_content(tree: MountTree) -> None:
    old, new = Text(b"/t", b"old", 0), Text(b"/t", b"newer", 0)
    tree.remember(old)
    tree.remember(new)
    tree.forget(new.ino, 1)
    found: Any = tree.node(old.ino)
    assert found.content() == b"old"


def test_nothing_else_is_remembered(tree: MountTree, workspace: Workspace) -> None:
    tree.remember(tree.root)
    tree.forget(tree.root.ino, 1)
    assert tree.node(1).ino == 1


def test_forgetting_what_was_never_known_does_nothing(tree: MountTree) -> None:
    tree.forget(Text(b"/t", b"content", 0).ino, 5)


@given(st.tuples(st.binary(), st.binary()), st.tuples(st.binary(), st.binary()))
def test_the_number_of_a_text_says_path_and_content(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    assert (Text(*one, 0).ino == Text(*other, 1).ino) == (one == other)
