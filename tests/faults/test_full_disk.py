"""A full disk is told to whoever writes, and hurts nothing that is there already.

The home lies on a small file system of its own.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.disk import Disk, mounted_on, small_disk
from support.drafts import QUIET, commit, drafts, raises, state, versions, wait_for_version
from support.mount import Mount
from support.mount_fixtures import StartMount

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system"),
    pytest.mark.expected_warnings("No space left on device", "without a record"),
]

DISK = 24 * 2**20
LARGE = 8 * 2**20
PATIENT = {"quiet_file_seconds": 600, "quiet_directory_seconds": 600}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", f"size={DISK}") as disk:
        yield disk


@pytest.fixture
def patient(disk: Disk, start_mount: StartMount) -> Iterator[Mount]:
    """A mount whose drafts become versions only when somebody asks."""
    with mounted_on(disk, start_mount, PATIENT) as mount:
        yield mount


@pytest.fixture
def quick(disk: Disk, start_mount: StartMount) -> Iterator[Mount]:
    """A mount whose drafts become versions soon."""
    with mounted_on(disk, start_mount, QUIET) as mount:
        yield mount


def test_the_writer_is_told_and_nothing_else_is_hurt(quick: Mount, disk: Disk) -> None:
    content = os.urandom(2**20)
    (quick.incoming / "before").write_bytes(content)
    wait_for_version(quick, "before", "1")
    (quick.incoming / "draft").mkdir()
    (quick.incoming / "draft" / "whole").write_bytes(content)
    with raises(errno.ENOSPC), open(quick.incoming / "draft" / "cut off", "wb") as file:
        for _ in range(2 * DISK // len(content)):
            file.write(content)
    quick.wait_until(lambda: state(quick, "draft")[0] == "held", "the draft being held")
    assert state(quick, "draft")[1] == ("cut off: a write to it failed (ENOSPC); write it again or remove it")
    assert versions(quick, "draft") == []
    assert (quick.artifacts / "before" / "1" / "before").read_bytes() == content
    assert (quick.incoming / "draft" / "whole").read_bytes() == content
    assert (quick.incoming / "before").read_bytes() == content

    (quick.incoming / "draft" / "cut off").unlink()
    wait_for_version(quick, "draft", "1")
    assert os.listdir(quick.artifacts / "draft" / "1") == ["whole"]
    (quick.incoming / "after").write_bytes(content)
    wait_for_version(quick, "after", "1")


def test_a_file_that_was_cut_off_can_be_written_again(quick: Mount, disk: Disk) -> None:
    disk.fill(leave=LARGE // 2)
    with raises(errno.ENOSPC):
        (quick.incoming / "file").write_bytes(os.urandom(LARGE))
    quick.wait_until(lambda: state(quick, "file")[0] == "held", "the draft being held")
    disk.free()
    content = os.urandom(LARGE)
    (quick.incoming / "file").write_bytes(content)
    wait_for_version(quick, "file", "1")
    assert (quick.artifacts / "file" / "1" / "file").read_bytes() == content


@pytest.mark.parametrize("synced", [True, False], ids=["fsync", "close"])
def test_what_the_kernel_writes_later_is_told_later(patient: Mount, disk: Disk, synced: bool) -> None:
    disk.fill(leave=2**20)
    descriptor = os.open(patient.incoming / "file", os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(40):
            os.write(descriptor, bytes([1]) * 50_000)
    except OSError as error:  # the kernel need not wait, but may write early
        assert error.errno == errno.ENOSPC
        os.close(descriptor)
        return
    if synced:
        with raises(errno.ENOSPC):
            os.fsync(descriptor)
        os.close(descriptor)
    else:
        with raises(errno.ENOSPC):
            os.close(descriptor)


def test_drafts_can_be_removed_from_a_full_disk(patient: Mount, disk: Disk) -> None:
    (patient.incoming / "draft").mkdir()
    for number in range(5):
        (patient.incoming / "draft" / str(number)).write_bytes(os.urandom(2**20))
    commit(patient.incoming / "draft")
    (patient.incoming / "unsealed").write_bytes(os.urandom(LARGE))
    disk.fill()
    shutil.rmtree(patient.incoming / "draft")
    (patient.incoming / "unsealed").unlink()
    assert os.listdir(patient.incoming) == []
    (patient.incoming / "new").write_bytes(os.urandom(LARGE - 2**20))
    assert os.listdir(patient.artifacts / "draft" / "1") == ["0", "1", "2", "3", "4"]


def test_a_change_on_a_full_disk_is_not_forgotten_by_the_next_daemon(patient: Mount, disk: Disk) -> None:
    """There is no room for a record that the sealed draft has been changed."""
    (patient.incoming / "draft").mkdir()
    for name in ("gone", "stays"):
        (patient.incoming / "draft" / name).write_bytes(name.encode())
    commit(patient.incoming / "draft")
    disk.fill()
    (patient.incoming / "draft" / "gone").unlink()
    patient.kill()
    disk.free()
    patient.remount()
    assert state(patient, "draft")[0] == "held"
    assert commit(patient.incoming / "draft") == "2"
    assert os.listdir(patient.artifacts / "draft" / "2") == ["stays"]


def test_no_room_for_a_version(patient: Mount, disk: Disk) -> None:
    """The disk is full at one point or another of sealing: all of a version comes to be, or nothing."""
    refused = set()
    for pages_left in (0, 1, 3, 6, 12, 20, 40, 70, 110, 200, 400):
        name = f"{pages_left} pages left"
        draft = patient.incoming / name
        draft.mkdir()
        contents = {str(number): os.urandom(1000) for number in range(200)}
        for file, content in contents.items():
            (draft / file).write_bytes(content)
        disk.fill(leave=4096 * pages_left)
        try:
            commit(draft)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert versions(patient, name) == []
            assert not (patient.home / "store" / name).exists()
            refused.add(pages_left)
        assert list(patient.home.glob("mounts/*/scratch/*")) == []
        assert {file.name: file.read_bytes() for file in draft.iterdir()} == contents
        disk.free()
        (draft / "0").write_bytes(b"changed")
        last = commit(draft)
        found = {path.name: path.read_bytes() for path in (patient.artifacts / name / last).iterdir()}
        assert found == {**contents, "0": b"changed"}
    assert 0 in refused
    assert 400 not in refused
    patient.artfs("verify", "--all")


def test_a_version_that_had_no_room_is_told_and_can_be_made_later(quick: Mount, disk: Disk) -> None:
    (quick.incoming / "draft").mkdir()
    with open(quick.incoming / "draft" / "file", "wb") as file:
        file.write(os.urandom(2**20))
        file.flush()
        os.fsync(file.fileno())
        disk.fill()
    quick.wait_until(lambda: state(quick, "draft")[0] == "held", "the draft being held")
    assert state(quick, "draft")[1] == ("draft: No space left on device; put that right, then commit it (artfs commit)")
    disk.free()
    assert quick.commit("draft") == "1"


def test_no_room_to_bring_a_sealed_file_back(patient: Mount, disk: Disk) -> None:
    content = os.urandom(LARGE)
    path = patient.incoming / "file"
    path.write_bytes(content)
    commit(path)
    disk.fill(leave=LARGE // 2)
    with raises(errno.ENOSPC), open(path, "ab") as file:
        file.write(b"more")
    with raises(errno.ENOSPC):
        os.truncate(path, LARGE - 1)
    assert path.read_bytes()[:LARGE] == content
    assert (patient.artifacts / "file" / "1" / "file").read_bytes() == content
    path.write_bytes(b"small")  # needs no room for what was there
    assert commit(path) == "2"
    disk.free()


def test_no_inodes_left(tmp_path: Path, start_mount: StartMount) -> None:
    with (
        small_disk(tmp_path / "disk", f"size={DISK},nr_inodes=120") as disk,
        mounted_on(disk, start_mount, PATIENT) as mount,
    ):
        draft = mount.incoming / "draft"
        draft.mkdir()
        with raises(errno.ENOSPC):
            for number in range(200):
                (draft / str(number)).write_bytes(b"%d" % number)
        names = os.listdir(draft)
        with raises(errno.ENOSPC):
            commit(draft)
        assert versions(mount, "draft") == []
        kept = names[: len(names) // 5]
        for name in set(names) - set(kept):
            (draft / name).unlink()
        commit(draft)
        found = {path.name: path.read_bytes() for path in (mount.artifacts / "draft" / "1").iterdir()}
        assert found == {name: name.encode() for name in kept}


def test_mounting_when_the_disk_is_full(patient: Mount, disk: Disk) -> None:
    """It works, or it fails in one line and works as soon as there is room."""
    (patient.incoming / "draft").write_bytes(b"content")
    patient.unmount()
    disk.fill()
    done = patient.artfs("mount", patient.path, check=False)
    if done.returncode == 0:
        patient.artfs("umount", patient.path)
    else:
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert done.stderr.count("\n") == 1
    disk.free()
    patient.remount()
    assert drafts(patient)["draft"]["state"] == "settling"
    assert (patient.incoming / "draft").read_bytes() == b"content"
