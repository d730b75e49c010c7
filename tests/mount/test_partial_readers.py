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
from support.stores import stored_files
from support.warning_guard import ExpectedWarnings

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


LARGE = 32 * 2**20
BLOCK = 4 * 2**20


@pytest.fixture
def large(mounted: Mount) -> tuple[Path, bytes]:
    content = os.urandom(LARGE)
    (mounted.incoming / "large").write_bytes(content)
    version = commit(mounted.incoming / "large")
    path = mounted.artifacts / "large" / version / "large"
    _ask_the_daemon(path)
    return path, content


def test_a_small_read_of_a_large_file_costs_less_than_a_block(mounted: Mount, large: tuple[Path, bytes]) -> None:
    path, content = large
    for program, start, size in (
        (["head", "-c", "1000"], 0, 1000),
        (["dd", "bs=64K", "skip=100", "count=1", "status=none"], 100 * 2**16, 2**16),
        (["tail", "-c", "1000"], LARGE - 1000, 1000),
    ):
        before = _bytes_read(mounted.pid)
        with path.open("rb") as file:
            # What the kernel reads ahead is its own choice.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            done = subprocess.run(program, stdin=file, capture_output=True, check=True).stdout
        assert done == content[start : start + size]
        assert _bytes_read(mounted.pid) - before < BLOCK // 2, program


def test_a_mapping_that_is_read_here_and_there_gives_its_bytes(mounted: Mount, large: tuple[Path, bytes]) -> None:
    path, content = large
    chance = random.Random(20261127)
    before = _bytes_read(mounted.pid)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)
        for _ in range(20):
            start = chance.randrange(LARGE - 5000)
            assert mapped[start : start + 5000] == content[start : start + 5000]
    assert _bytes_read(mounted.pid) - before < 20 * BLOCK // 2
    assert path.read_bytes() == content


def test_a_piece_with_a_wrong_byte_is_an_error_and_the_rest_can_be_read(
    mounted: Mount, large: tuple[Path, bytes], expected_warnings: ExpectedWarnings
) -> None:
    expected_warnings("a piece of block 1 of it should be")
    path, content = large
    [stored] = [found for found in stored_files(mounted.home / "store") if found.name == "large"]
    stored.chmod(0o600)
    with stored.open("r+b") as file:
        file.seek(BLOCK + 100)
        file.write(bytes([content[BLOCK + 100] ^ 1]))
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        with pytest.raises(OSError, match="Input/output error"):
            os.pread(file.fileno(), 10, BLOCK + 95)
        assert os.pread(file.fileno(), 10, 2 * BLOCK) == content[2 * BLOCK : 2 * BLOCK + 10]
    assert "a piece of block 1" in mounted.status()["errors"]["last"][0]["message"]
    assert mounted.status()["places"]["failures"] >= 1


def _bytes_read(pid: int) -> int:
    """What a process has asked of its files so far."""
    [line] = [line for line in Path(f"/proc/{pid}/io").read_text().splitlines() if line.startswith("rchar")]
    return int(line.split()[1])
