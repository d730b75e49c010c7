"""Programs that read the start of a large file, or parts of it through a mapping, and close it, disturb nobody."""

from __future__ import annotations

import mmap
import os
import random
import subprocess
from pathlib import Path

import pytest

from support.drafts import commit
from support.mount import Mount

ROUNDS = 200
FILES = 12
"""More bytes than the daemon keeps of blocks that it has verified."""
SIZE = 9 * 2**20


@pytest.fixture
def files(mounted: Mount) -> dict[Path, bytes]:
    draft = mounted.incoming / "model"
    draft.mkdir()
    contents = {f"shard-{number}": os.urandom(SIZE) for number in range(FILES)}
    for name, content in contents.items():
        (draft / name).write_bytes(content)
    version = commit(draft)
    return {mounted.artifacts / "model" / version / name: content for name, content in contents.items()}


def test_readers_that_take_a_part_and_go(mounted: Mount, files: dict[Path, bytes]) -> None:
    pid = mounted.pid
    chance = random.Random(20261127)
    for _ in range(ROUNDS):
        path, content = chance.choice(list(files.items()))
        _ask_the_daemon(path)
        head = subprocess.run(["head", "-c", "300K", path], capture_output=True, check=True).stdout
        assert head == content[: 300 * 1024]
    assert mounted.pid == pid
    assert mounted.status()["background"] == {}


def test_readers_that_map_a_header_and_one_tensor(mounted: Mount, files: dict[Path, bytes]) -> None:
    pid = mounted.pid
    chance = random.Random(20261127)
    for _ in range(ROUNDS):
        path, content = chance.choice(list(files.items()))
        _ask_the_daemon(path)
        start = chance.randrange(SIZE)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            assert mapped[:8] == content[:8]
            assert mapped[start : start + 100_000] == content[start : start + 100_000]
    assert mounted.pid == pid
    assert mounted.status()["background"] == {}


def _ask_the_daemon(path: Path) -> None:
    """Lets the kernel forget what it has of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
