"""Twenty versions of a large draft of which little changes take little more than what changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, commit, mount_for_a_module, versions
from support.mount import Mount

FILES = 200
SIZE = 2**20
VERSIONS = 20
CHANGED_EACH_TIME = FILES // 100
ALLOWED = 1.02


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    yield from mount_for_a_module(NEVER_BY_ITSELF)


def test_versions_take_the_space_of_what_changed(mount: Mount) -> None:
    draft = mount.incoming / "large"
    draft.mkdir()
    for number in range(FILES):
        (draft / str(number)).write_bytes(os.urandom(SIZE))
    commit(draft)
    for version in range(1, VERSIONS):
        for number in range(CHANGED_EACH_TIME):
            # One is overwritten in place, the other written anew: both ways of frameworks.
            with open(draft / str((7 * version + number) % FILES), "r+b" if number else "wb") as file:
                file.write(os.urandom(SIZE))
        commit(draft)
    unique = SIZE * (FILES + (VERSIONS - 1) * CHANGED_EACH_TIME)
    assert len(versions(mount, "large")) == VERSIONS
    assert unique <= disk_use(mount.home) <= ALLOWED * unique


def test_a_removed_draft_leaves_nothing_but_its_versions(mount: Mount) -> None:
    before = disk_use(mount.home)
    draft = mount.incoming / "passing"
    draft.mkdir()
    for number in range(20):
        (draft / str(number)).write_bytes(os.urandom(SIZE))
    assert disk_use(mount.home) >= before + 20 * SIZE
    shutil.rmtree(draft)
    assert disk_use(mount.home) < before + SIZE


def disk_use(root: Path) -> int:
    """Bytes of the disk that everything below a directory takes, hard links counted once."""
    subprocess.run(["sync", "--file-system", root], check=True)  # what is not written yet may have no blocks
    blocks = {}
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            status = os.lstat(os.path.join(folder, name))
            blocks[status.st_ino] = status.st_blocks
    return 512 * sum(blocks.values())
