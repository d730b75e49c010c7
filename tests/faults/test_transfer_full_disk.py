"""A full disk keeps what is owed to it waiting, and nothing else; with room again it comes.

The store lies on a small file system of its own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.artifacts.save import save
from artfs.transfers.pending import owe_copy
from artfs.workspace.workspace import Workspace
from support.transfers import is_whole_in, local_store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system")

DISK = 4 * 2**20
LARGE = 8 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "artfs-test", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_what_does_not_fit_waits_for_room(home: Path, disk: Path) -> None:
    with Workspace.open(home) as workspace:
        store = local_store(workspace, disk / "store")
        assert store.id is not None
        large, small = save(workspace, os.urandom(LARGE), "large"), save(workspace, os.urandom(2**20), "small")
        for version in (large, small):
            owe_copy(workspace.catalog, version, store.id)
        workspace.transfers.work()
        [row] = workspace.catalog.pending.list()
        assert (row.version_id, row.error, row.attempts) == (large.id, "No space left on device", 1)
        assert is_whole_in(store, small, workspace)
        assert len(list(store.places())) == 1, "nothing is left of what did not fit"
        assert os.statvfs(disk).f_bavail * 4096 > DISK - 1.5 * 2**20

        subprocess.run(["mount", "-o", f"remount,size={4 * LARGE}", disk], check=True)
        assert workspace.transfers.wait() == []
        assert is_whole_in(store, large, workspace)
