"""A mount of a home that can only be read shows everything but `/incoming`."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.mount import Mount
from support.mount_fixtures import StartMount

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def read_only(start_mount: StartMount) -> Iterator[Mount]:
    """A mount of a home on a read-only file system, which has a version that a run made."""
    writable = start_mount()
    (writable.incoming / "model").mkdir()
    (writable.incoming / "model/weights.bin").write_bytes(b"weights")
    writable.artfs("exec", "--name", "training", "--", "sh", "-c", f"echo x > {writable.incoming}/report.txt")
    writable.commit("model", tags=["best"])
    writable.sync()
    writable.unmount()
    subprocess.run(["mount", "--bind", writable.home, writable.home], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", writable.home], check=True)
    # A base of its own: what is outside of the home can be written.
    mount = start_mount(home=writable.home)
    yield mount
    mount.end()
    subprocess.run(["umount", writable.home], check=True)


def refused(act: Callable[[], object]) -> int | None:
    """The errno that something ends with."""
    with pytest.raises(OSError) as caught:
        act()
    return caught.value.errno


def test_everything_can_be_read(read_only: Mount) -> None:
    root = read_only.path
    assert sorted(os.listdir(root)) == ["README.txt", "artifacts", "lineage", "models", "runs", "tags"]
    assert (root / "artifacts/model/@best/weights.bin").read_bytes() == b"weights"
    assert (root / "artifacts/report.txt/latest/report.txt").read_text() == "x\n"
    assert (root / "tags/best/model@1/weights.bin").read_bytes() == b"weights"
    assert (root / "runs/training/latest/status").read_text().strip() == "completed"
    assert subprocess.run(["b3sum", "--check", ".artfs/B3SUMS"], cwd=root / "artifacts/model/1").returncode == 0
    listed = subprocess.run(["ls", "-lR", root], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert (listed.returncode, listed.stderr) == (0, "")


def test_nothing_can_be_written(read_only: Mount) -> None:
    root = read_only.path
    assert refused((root / "incoming").stat) == errno.ENOENT
    assert refused((root / "incoming").mkdir) == errno.EROFS
    assert refused((root / "artifacts/new").mkdir) == errno.EROFS
    assert refused(lambda: (root / "artifacts/model/1/weights.bin").write_bytes(b"")) == errno.EROFS
    assert refused(lambda: os.setxattr(root / "artifacts/model/1", "user.artfs.tags", b"[]")) == errno.EROFS
    assert os.statvfs(root).f_flag & os.ST_RDONLY
    assert os.statvfs(root).f_blocks == os.statvfs(read_only.home).f_blocks


def test_it_says_so(read_only: Mount) -> None:
    readme = (read_only.path / "README.txt").read_text()
    assert "NOTHING CAN BE WRITTEN" in readme
    assert "cp model.pkl" not in readme
    assert f"the home {read_only.home} can only be read" in read_only.status()["read_only"]
    assert "can only be read" in read_only.artfs("status", read_only.path).stdout
    read_only.artfs("sync", read_only.path)
    for named in ("artifacts/model", "incoming/model"):
        committed = read_only.artfs("commit", read_only.path / named, check=False)
        assert committed.returncode == 1
        assert "can only be read, so there is no /incoming" in committed.stderr


def test_what_is_saved_meanwhile_through_another_way_is_seen(start_mount: StartMount, tmp_path: Path) -> None:
    writable = start_mount()
    view = tmp_path / "view"
    view.mkdir()
    subprocess.run(["mount", "--bind", writable.home, view], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", view], check=True)
        reading = start_mount(home=view)
        assert os.listdir(reading.artifacts) == []
        (writable.incoming / "later").write_bytes(b"content")
        writable.commit("later")
        assert (reading.artifacts / "later/latest/later").read_bytes() == b"content"
        assert json.loads((reading.artifacts / "later/1/.artfs/info.json").read_bytes())["version"] == "1"
        reading.unmount()
    finally:
        subprocess.run(["umount", view], check=True)


def test_the_command_says_so(read_only: Mount) -> None:
    other = read_only.base / "other"
    other.mkdir()
    said = read_only.artfs("mount", other).stdout
    read_only.artfs("umount", other)
    assert "can only be read" in said
    assert "write into" not in said
