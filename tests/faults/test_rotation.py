"""Checkpoints that rotate on a small disk: the framework's limit bounds what is taken, and nothing that matters goes.

The home lies on a small file system of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.disk import Disk, mounted_on, small_disk
from support.drafts import QUIET, raises, versions, wait_for_version
from support.mount import Mount
from support.mount_fixtures import StartMount

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system")

SIZE = 2 * 2**20
"""Of a checkpoint."""
LIMIT = 2
"""So many the framework keeps."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", f"size={24 * SIZE}") as disk:
        yield disk


@pytest.fixture
def mount(disk: Disk, start_mount: StartMount) -> Iterator[Mount]:
    with mounted_on(disk, start_mount, QUIET) as mount:
        yield mount


def save(run: Path, step: int) -> bytes:
    """Saves a checkpoint as Trainer does, and removes the oldest beyond the limit."""
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    content = os.urandom(SIZE)
    (folder / "weights.bin").write_bytes(content)
    (folder / "trainer_state.json").write_text("{}")
    if step > LIMIT:
        shutil.rmtree(run / f"checkpoint-{step - LIMIT}")
    return content


def removed(mount: Mount) -> dict[str, int]:
    return {each["artifact"]: each["versions"] for each in mount.status()["room"]["removed"]}


def has(mount: Mount, step: int) -> bool:
    """Whether the newest version has a checkpoint."""
    return (mount.artifacts / "run" / "latest" / f"checkpoint-{step}").is_dir()


def test_fifty_saves(mount: Mount) -> None:
    """Thrice as much as the disk has room for."""
    contents: dict[int, bytes] = {}
    made: list[str] = []
    tagged = {10: "ten", 20: "twenty"}
    for step in range(1, 51):
        contents[step] = save(mount.incoming / "run", step)
        mount.wait_until(lambda step=step: has(mount, step), f"checkpoint {step} in a version")
        made.append(os.readlink(mount.artifacts / "run" / "latest"))
        if step in tagged:
            mount.artfs("artifact", "tag", f"run/{made[-1]}", tagged[step])
    there = versions(mount, "run")
    assert set(made[-3:]) < set(there)
    for step, tag in tagged.items():
        assert (mount.artifacts / "run" / f"@{tag}" / f"checkpoint-{step}" / "weights.bin").read_bytes() == contents[
            step
        ]
    for version in there:
        for checkpoint in (mount.artifacts / "run" / version).iterdir():
            step = int(checkpoint.name.rpartition("-")[2])
            assert (checkpoint / "weights.bin").read_bytes() == contents[step]
    assert removed(mount)["run"] > 20
    assert mount.status()["errors"]["count"] == 0
    assert "of run for room" in mount.artfs("status", mount.path).stdout
    mount.artfs("verify", "--all")


@pytest.mark.expected_warnings("No space left on device")
def test_room_is_made_after_a_write_had_none(mount: Mount, disk: Disk) -> None:
    for number in range(6):
        (mount.incoming / "file").write_bytes(os.urandom(SIZE))
        wait_for_version(mount, "file", str(number + 1))
    disk.fill()
    with raises(28), open(mount.incoming / "other", "wb") as file:
        file.write(os.urandom(SIZE))
    mount.wait_until(lambda: len(versions(mount, "file")) == 3, "room being made")
    (mount.incoming / "other").write_bytes(os.urandom(SIZE))


def test_nothing_goes_where_all_is_to_be_kept(mount: Mount, disk: Disk) -> None:
    for number in range(6):
        (mount.incoming / "file").write_bytes(os.urandom(SIZE))
        wait_for_version(mount, "file", str(number + 1))
    mount.artfs("artifact", "update", "file", "--retention", "keep")
    disk.fill(leave=SIZE)
    (mount.incoming / "other").write_bytes(b"small")
    wait_for_version(mount, "other", "1")
    mount.wait_until(lambda: mount.status()["room"]["disks"][0]["free"] <= SIZE, "a look at the disk")
    assert len(versions(mount, "file")) == 6
    mount.artfs("artifact", "update", "file", "--retention", "room")
    (mount.incoming / "other").write_bytes(b"small again")
    mount.wait_until(lambda: removed(mount) == {"file": 2}, "room being made")
