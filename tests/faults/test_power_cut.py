"""What a save has acknowledged is there after the machine lost its power, though most files were never synced.

The home lies on a file system of its own, which is stopped as by a power cut: what it has not written is lost.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.artifacts.load import load
from artfs.catalog import unsynced
from artfs.transfers import syncing
from artfs.workspace.workspace import Workspace
from support import save_on_and_on
from support.drafts import commit, drafts
from support.mount_fixtures import StartMount

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system"),
    pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="there are no loop devices"),
]

_STOP = 0x8004587D  # EXT4_IOC_SHUTDOWN of <linux/ext4.h>
_WITHOUT_WRITING_ANYTHING = struct.pack("I", 2)


class Disk:
    """An ext4 file system in a file, mounted at `path`."""

    def __init__(self, image: Path, path: Path) -> None:
        self.path = path
        self._image = image
        path.mkdir()
        with image.open("wb") as file:
            file.truncate(64 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self._image, self.path], check=True)

    def cut_power(self) -> None:
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(directory, _STOP, _WITHOUT_WRITING_ANYTHING)
        finally:
            os.close(directory)

    def unmount(self) -> None:
        subprocess.run(["umount", self.path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "image", tmp_path / "disk")
    yield disk
    disk.unmount()


@pytest.mark.parametrize("saves", [1, 7, 40, 2 * syncing.MOST_UNSYNCED])
def test_what_was_saved_is_there_after_a_power_cut(
    disk: Disk, saves: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger=syncing.__name__)
    home = disk.path / "home"
    saved = saved_until_the_cut(disk, home, saves)
    monkeypatch.setattr(unsynced, "current_boot", lambda: "the next boot")
    with Workspace.open(home) as workspace:
        assert workspace.catalog.check() == []
        versions = {version.number: version for version in workspace.catalog.versions.list()}
        assert set(range(1, saved + 1)) <= versions.keys()
        for number, version in versions.items():
            assert load(workspace, version) == save_on_and_on.value(number or 0)
        assert workspace.catalog.unsynced.count() == 0


def test_files_are_lost_by_a_power_cut_indeed(disk: Disk) -> None:
    """Else the test above shows nothing."""
    home = disk.path / "home"
    saved_until_the_cut(disk, home, 40)
    with Workspace.open(home) as workspace:
        root, kept = home / "store", workspace.catalog.unsynced
        files = {root / os.fsdecode(place.path): kept.get(place.blob_id) for place in kept.places()}
        assert [path for path, content in files.items() if not path.exists() or path.read_bytes() != content]


@pytest.mark.expected_warnings("not the record of a draft", "release: .*Input/output error")
def test_what_was_committed_or_synced_through_a_mount_is_there_after_a_power_cut(
    disk: Disk, start_mount: StartMount
) -> None:
    """The daemon does not sync what it notes of drafts: it holds those that it then knows nothing of."""
    mount = start_mount(home=disk.path / "home", settings={"quiet_file_seconds": 600, "quiet_directory_seconds": 600})
    contents = {name: os.urandom(size) for name, size in (("small", 100), ("deep/larger", 20_000), ("big", 6 * 2**20))}
    for name, content in contents.items():
        (mount.incoming / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (mount.incoming / "model" / name).write_bytes(content)
    version = commit(mount.incoming / "model")
    with (mount.incoming / "log").open("wb") as log:
        log.write(b"as far as this")
        log.flush()
        os.fsync(log.fileno())
    disk.cut_power()
    mount.kill()
    disk.unmount()
    disk.mount()
    mount.remount()
    assert {name: (mount.artifacts / "model" / version / name).read_bytes() for name in contents} == contents
    assert (mount.incoming / "log").read_bytes() == b"as far as this"
    assert drafts(mount)["log"]["state"] == "held"
    mount.unmount()


def saved_until_the_cut(disk: Disk, home: Path, saves: int) -> int:
    """How many saves were acknowledged by a program whose machine loses its power after `saves` of them."""
    environment = {**os.environ, "ARTFS_HOME": str(home)}
    program = [sys.executable, save_on_and_on.__file__ or ""]
    acknowledged = 0
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for line in process.stdout:  # until a save cannot reach the disk, and raises
            acknowledged = int(line)
            if acknowledged == saves:
                disk.cut_power()
    disk.unmount()
    disk.mount()
    return acknowledged
