"""What the kernel's table of mounts says, and what the home says of its daemons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artfs.cli import daemons
from artfs.errors import MountError, NotMounted
from artfs.home.home import Home
from artfs.linux import mounts

MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
40 22 0:51 / /mnt/a\\040b\\134c\\011d rw,nosuid,nodev - fuse.artfs artfs rw,user_id=1000,group_id=1000,allow_other
41 22 0:52 / /mnt/home rw shared:5 master:2 - nfs4 server:/export\\040x rw,vers=4.2
42 41 0:53 / /mnt/home/deep rw - tmpfs tmpfs rw
43 41 0:54 / /mnt/home/deep rw - xfs /dev/sdb rw
"""


@pytest.fixture
def table(tmp_path: Path) -> list[mounts.Mounted]:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTINFO)
    return mounts.all_mounts(mountinfo)


def test_the_table_is_read(table: list[mounts.Mounted]) -> None:
    assert table[2] == mounts.Mounted(Path("/mnt/a b\\c\td"), "0:51", "fuse.artfs", "artfs", 1000)
    assert table[2].is_artfs
    assert table[3] == mounts.Mounted(Path("/mnt/home"), "0:52", "nfs4", "server:/export x", None)


@pytest.mark.parametrize(
    ("path", "file_system"),
    [
        ("/", "ext4"),
        ("/mnt/homes", "ext4"),
        ("/mnt/home", "nfs4"),
        ("/mnt/home/other/x", "nfs4"),
        ("/mnt/home/deep/x", "xfs"),
        ("/mnt/a b\\c\td/incoming", "fuse.artfs"),
    ],
)
def test_the_mount_that_a_path_lies_in(table: list[mounts.Mounted], path: str, file_system: str) -> None:
    assert mounts.mount_of(Path(path), table).file_system == file_system


def test_what_is_mounted_exactly_there(table: list[mounts.Mounted]) -> None:
    top = mounts.mounted_at(Path("/mnt/home/deep"), table)
    assert top is not None
    assert top.file_system == "xfs"
    assert mounts.mounted_at(Path("/mnt/home/deep/x"), table) is None


def test_this_machine_has_a_root() -> None:
    assert mounts.mounted_at(Path("/")) is not None


def test_a_path_outside_of_every_mount(tmp_path: Path) -> None:
    with pytest.raises(NotMounted, match="it is not in a mount of artfs"):
        mounts.artfs_of(tmp_path)


def test_unmounting_what_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(MountError, match="cannot be unmounted"):
        mounts.unmount(tmp_path)


def test_unmounting_without_fusermount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MountError, match="apt install fuse3"):
        mounts.unmount(tmp_path)


@pytest.mark.parametrize("content", [None, b"no JSON", b"[]"])
def test_a_status_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / ".artfs").mkdir()
        (tmp_path / ".artfs" / "status.json").write_bytes(content)
    with pytest.raises(MountError, match="status"):
        mounts.read_status(tmp_path)


def test_areas(home: Path) -> None:
    Home(home).create()
    area = home / "mounts" / "1"
    (area / "drafts").mkdir(parents=True)
    (area / "mount.json").write_text(json.dumps({"mount_point": "/mnt/x", "pid": os.getpid(), "clean": False}))
    for name, state in (("a", "changed"), ("b", "sealed"), ("c", "sealing")):
        (area / "drafts" / f"{name}.json").write_text(json.dumps({"name": name, "state": state}))
    (home / "mounts" / "2").mkdir()
    first, second = daemons.areas(Home(home))
    # The process is there, but it is no daemon of artfs: the id was given out again.
    assert first == daemons.AreaState(area, Path("/mnt/x"), False, os.getpid(), ["a", "c"])
    assert second == daemons.AreaState(home / "mounts" / "2", None, False, None, [])
    assert daemons.daemon_of(Path("/mnt/x")) is None


def test_a_home_without_areas(home: Path) -> None:
    assert daemons.areas(Home(home)) == []


def test_who_uses_a_directory(tmp_path: Path) -> None:
    (tmp_path / "open").touch()
    (tmp_path / "mapped").write_bytes(bytes(4096))
    code = """
import mmap, sys
if sys.argv[1] == "open": kept = open("open")
if sys.argv[1] == "mapped":
    with open("mapped", "rb") as file: kept = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
import os
if sys.argv[1] != "directory": os.chdir("/")
print(flush=True)
sys.stdin.read()
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, what], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for what in ("open", "mapped", "directory", "nothing")
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        users = daemons.users_of(tmp_path)
        assert sorted(user.pid for user in users) == sorted(process.pid for process in processes[:3])
        assert {user.command[:6] for user in users} == {"python"}
    finally:
        for process in processes:
            process.communicate()
