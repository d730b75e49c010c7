"""What the table of mounts tells."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from artfs.linux.mounts import MountPoints


def test_the_mount_that_a_path_lies_in_is_told_by_its_name_alone() -> None:
    points = MountPoints()
    assert points.of(b"/proc/there/is/no/such/file") == b"/proc"
    assert points.of(b"/proc") == b"/proc"
    assert points.of(b"/procession") == points.of(b"/") == b"/"
    assert points.of(b"no absolute path") == b"", "whatever stands in a catalog"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_what_is_mounted_later_is_seen(tmp_path: Path) -> None:
    points, path = MountPoints(), os.fsencode(tmp_path.resolve())
    before = points.of(path + b"/file")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    try:
        assert points.of(path + b"/file") == path
    finally:
        subprocess.run(["umount", path], check=True)
    assert points.of(path + b"/file") == before
