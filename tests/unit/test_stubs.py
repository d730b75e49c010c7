"""Stubs are found wherever they are, also while others rename them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from artfs.content import stubs
from artfs.content.digest import Digest, hash_bytes
from artfs.content.files import remove_tree
from artfs.content.stubs import BLOB_ATTRIBUTE, digests_below
from artfs_mount.incoming.stubs import BLOB, blob_of
from support.deep import LEVELS, NAME, inside

ONE, TWO = hash_bytes(b"one"), hash_bytes(b"two")


def make_stub(path: Path, digest: Digest) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.setxattr(path, BLOB_ATTRIBUTE, digest)
    return path


def below(*directories: Path) -> set[Digest]:
    return digests_below(map(os.fsencode, directories))


def test_the_daemon_and_the_library_mean_the_same_attribute(tmp_path: Path) -> None:
    assert os.fsdecode(BLOB) == BLOB_ATTRIBUTE
    assert blob_of(os.fsencode(make_stub(tmp_path / "stub", ONE))) == ONE


def test_stubs_are_found_at_any_depth(tmp_path: Path) -> None:
    make_stub(tmp_path / "a" / "stub", ONE)
    make_stub(tmp_path / "b" / "c" / "d" / "stub", TWO)
    (tmp_path / "a" / "file").write_bytes(b"bytes of its own")
    assert below(tmp_path / "a") == {ONE}
    assert below(tmp_path / "a", tmp_path / "b", tmp_path / "not there") == {ONE, TWO}


def test_stubs_are_found_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    with inside(tmp_path):
        for _ in range(LEVELS):
            os.mkdir(NAME)
            os.chdir(NAME)
        make_stub(Path("stub"), ONE)
    assert below(tmp_path) == {ONE}
    remove_tree(bytes(tmp_path / NAME))
    assert below(tmp_path) == set()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    make_stub(tmp_path / "outside" / "stub", ONE)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "file").symlink_to(tmp_path / "outside" / "stub")
    (tmp_path / "work" / "folder").symlink_to(tmp_path / "outside")
    assert below(tmp_path / "work") == set()


def test_a_stub_that_nobody_may_read_is_one(tmp_path: Path) -> None:
    make_stub(tmp_path / "stub", ONE).chmod(0)
    assert below(tmp_path) == {ONE}
    assert (tmp_path / "stub").stat().st_mode & 0o777 == 0


def test_a_stub_that_is_renamed_to_where_was_looked_already_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst case, made certain: it moves while its old directory is about to be listed."""
    early, late = tmp_path / "early", tmp_path / "late"
    early.mkdir()
    make_stub(late / "stub", ONE)
    listed, scandir = list[bytes](), os.scandir

    def rename_before_late(path: bytes) -> object:
        listed.append(path)
        if path == os.fsencode(late) and listed.count(path) == 1:
            assert os.fsencode(early) in listed
            os.rename(late / "stub", early / "stub")
        return scandir(path)

    monkeypatch.setattr(stubs.os, "scandir", rename_before_late)
    assert below(late, early) == {ONE}


def test_stubs_that_never_rest_are_found_or_it_is_said_that_nobody_can_tell(tmp_path: Path) -> None:
    directories = [tmp_path / str(number) for number in range(20)]
    for directory in directories:
        directory.mkdir()
    make_stub(directories[0] / "stub", ONE)
    enough = threading.Event()

    def wander() -> None:
        at = 0
        while not enough.is_set():
            to = (at + 7) % len(directories)
            os.rename(directories[at] / "stub", directories[to] / "stub")
            at = to

    wanderer = threading.Thread(target=wander)
    wanderer.start()
    try:
        for _ in range(2):
            try:
                assert below(tmp_path) == {ONE}
            except TimeoutError as error:
                assert "without a pause" in str(error)
    finally:
        enough.set()
        wanderer.join()
    assert below(tmp_path) == {ONE}
