"""What the daemon remembers of files goes when the kernel forgets them: months of training must not fill its memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, commit, mount_for_a_module
from support.mount import Mount

FILES = 5000
FEW = 20
"""The root, the drafts, and what is open."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the kernel forget")


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    yield from mount_for_a_module(NEVER_BY_ITSELF)


@pytest.fixture(autouse=True)
def forgets_all(mount: Mount) -> Iterator[None]:
    """At the end of every test the daemon knows few files and has few open."""
    open_before = _open_files(mount)
    yield
    Path("/proc/sys/vm/drop_caches").write_text("2\n")
    mount.wait_until(lambda: mount.status()["known_files"] < FEW, "the daemon forgetting files")
    assert mount.status()["open_files"] <= 2  # the status file itself, and its directory
    assert _open_files(mount) <= open_before + FEW


def test_files_that_were_read(mount: Mount) -> None:
    path = mount.incoming / "read"
    path.mkdir()
    for number in range(FILES):
        (path / f"{number:04}").write_bytes(b"%d" % number)
    assert sum(len(file.read_bytes()) for file in path.iterdir()) == sum(len(str(number)) for number in range(FILES))
    assert mount.status()["known_files"] > FILES


def test_files_of_a_version(mount: Mount) -> None:
    """They need no table at all."""
    path = mount.incoming / "version"
    path.mkdir()
    for number in range(100):
        (path / str(number)).write_bytes(b"%d" % number)
    commit(path)
    shutil.rmtree(path)
    Path("/proc/sys/vm/drop_caches").write_text("2\n")
    mount.wait_until(lambda: mount.status()["known_files"] < FEW, "the daemon forgetting files")
    assert len([file.read_bytes() for file in (mount.artifacts / "version" / "1").iterdir()]) == 100
    assert mount.status()["known_files"] < FEW


def test_storms_of_renames_and_removals(mount: Mount) -> None:
    path = mount.incoming / "storm"
    path.mkdir()
    for round_number in range(20):
        folder = path / str(round_number)
        folder.mkdir()
        for number in range(50):
            file = folder / str(number)
            with open(file, "wb") as writer:
                writer.write(b"x")
                os.rename(file, folder / "renamed")
                os.link(folder / "renamed", folder / f"linked {number}")
            os.replace(folder / "renamed", folder / "last")
            with open(folder / "last", "rb") as reader:
                os.unlink(folder / "last")
                assert reader.read() == b"x"
        folder.rename(path / "moved")
        shutil.rmtree(path / "moved")
    assert mount.status()["known_files"] < FEW


def test_drafts_that_became_versions_again_and_again(mount: Mount) -> None:
    path = mount.incoming / "again"
    path.mkdir()
    for round_number in range(10):
        for number in range(20):
            (path / str(number)).write_bytes(b"%d %d" % (round_number, number))
        commit(path)
    artifact = mount.artifacts / "moved"
    artifact.mkdir()
    os.rename(path, artifact / "v1")


def _open_files(mount: Mount) -> int:
    return len(os.listdir(f"/proc/{mount.pid}/fd"))
