"""Whose a version is, and what its modes give to whom."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

import pytest

from artfs.home.home import Home
from artfs.linux import users
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.modes import Modes
from artfs_mount.tree.tree import MountTree
from support.entries import directory, file, link

At = Callable[[str], Any]
Record = Callable[..., Any]

BEA, CARL = "31234", "31235"
ENTRIES = {b"d/f": file(b"equal", mode=0o600), b"d/l": link(b"f")}


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (0o644, 0o444), (0o600, 0o400), (0o755, 0o555), (0o700, 0o500), (0o777, 0o555), (0o640, 0o400), (0o604, 0o400),
        (0o000, 0o400), (0o044, 0o444), (0o750, 0o500), (0o711, 0o511), (0o222, 0o400),
    ],
)  # fmt: skip
def test_nobody_gets_more_than_was_written(mode: int, shown: int) -> None:
    assert Modes().file(mode) == stat.S_IFREG | shown
    assert Modes().directory(mode) == stat.S_IFDIR | shown | 0o100


def test_the_group_of_a_home_keeps_its_bits() -> None:
    shown = {mode: Modes(group=7).file(mode) & 0o777 for mode in (0o640, 0o660, 0o600, 0o604, 0o664)}
    assert shown == {0o640: 0o440, 0o660: 0o440, 0o600: 0o400, 0o604: 0o400, 0o664: 0o444}


def test_all_in_a_version_belongs_to_its_user(record: Record, at: At) -> None:
    record("x", ENTRIES, user=BEA)
    for path in ("artifacts/x/1", "artifacts/x/1/d", "artifacts/x/1/d/f", "artifacts/x/1/.artfs/B3SUMS"):
        assert at(path).attributes().owner == (int(BEA), users.NOBODY), path


@pytest.mark.parametrize("user", [None, "nobody of this name", users.name_of(os.geteuid())])
def test_what_belongs_to_nobody_here_is_the_daemons(record: Record, at: At, user: str | None) -> None:
    record("x", ENTRIES, user=user)
    assert at("artifacts/x/1").attributes().owner is None
    assert at("artifacts/x/1/d/f").attributes().owner is None


def test_files_are_found_again_by_their_numbers(record: Record, at: At, workspace: Workspace) -> None:
    record("b", ENTRIES, user=BEA)
    record("c", ENTRIES, user=CARL)
    new_daemon = MountTree(workspace, status=lambda: b"")
    for path in ("b/1", "c/1", "b/1/d", "c/1/d", "b/1/d/f", "c/1/d/f"):
        node = at(f"artifacts/{path}")
        assert new_daemon.node(node.ino).attributes() == node.attributes(), path


def test_what_tells_of_all_files_has_the_bits_that_all_of_them_have(record: Record, at: At) -> None:
    modes = {
        "open": {b"f": file(b"1")},
        "file": {b"f": file(b"1"), b"g": file(b"2", mode=0o600)},
        "directory": {b"f": file(b"1"), b"d": directory(), b"d/f": file(b"3")},  # 0750
    }
    for artifact, entries in modes.items():
        record(artifact, entries)
    shown = {name: at(f"artifacts/{name}/1/.artfs/manifest.json").attributes().mode & 0o777 for name in modes}
    assert shown == {"open": 0o444, "file": 0o400, "directory": 0o400}


def test_a_home_for_a_group_shows_the_group(record: Record, workspace: Workspace) -> None:
    for artifact, user in (("x", BEA), ("own", None)):
        record(artifact, {b"f": file(b"1", mode=0o640)}, user=user)
    Home(workspace.home.path).configure(share="group")
    with Workspace.open(workspace.home.path) as shared:
        artifacts: Any = MountTree(shared, status=lambda: b"").root.lookup(b"artifacts")
        for artifact, uid in ((b"x", int(BEA)), (b"own", os.geteuid())):
            shown = artifacts.lookup(artifact).lookup(b"1").lookup(b"f").attributes()
            assert shown.mode & 0o777 == 0o440
            assert shown.owner == (uid, os.stat(workspace.home.path).st_gid)
