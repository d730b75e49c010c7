"""A file in `/incoming` is what it would be on a local disk, whatever handles it is changed and read through.

A handle that only writes goes past the kernel's cache, others and memory maps go through it; truncation, allocation and
commits come in between.
"""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.mount import Mount

OPERATIONS = 250
LIMIT = 3_000_000
SIZES = (1, 100, 4_096, 5_000, 65_536, 200_000, 1_100_000)


class File:
    """A file that is open in four ways."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self.open()

    def open(self) -> None:
        self.writer = os.open(self.path, os.O_WRONLY)
        self.appender = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.both = os.open(self.path, os.O_RDWR)
        self.reader = os.open(self.path, os.O_RDONLY)

    def close(self) -> None:
        for descriptor in (self.writer, self.appender, self.both, self.reader):
            os.close(descriptor)

    @property
    def size(self) -> int:
        return os.fstat(self.reader).st_size

    def write(self, offset: int, data: bytes) -> None:
        os.pwrite(self.writer, data, offset)

    def write_through_the_cache(self, offset: int, data: bytes) -> None:
        os.pwrite(self.both, data, offset)

    def append(self, offset: int, data: bytes) -> None:
        os.write(self.appender, data)

    def truncate(self, offset: int, data: bytes) -> None:
        os.ftruncate(self.both, offset)

    def open_truncated(self, offset: int, data: bytes) -> None:
        os.close(os.open(self.path, os.O_WRONLY | os.O_TRUNC))

    def allocate(self, offset: int, data: bytes) -> None:
        os.posix_fallocate(self.both, offset, len(data))

    def write_mapped(self, offset: int, data: bytes) -> None:
        if size := self.size:
            start = offset % size
            with mmap.mmap(self.both, size) as mapped:
                mapped[start : start + len(data)] = data[: size - start]

    def sync(self, offset: int, data: bytes) -> None:
        os.fsync(self.both)

    def open_again(self, offset: int, data: bytes) -> None:
        self.close()
        self.open()

    def read(self, offset: int, size: int) -> tuple[int, bytes, bytes]:
        return self.size, os.pread(self.reader, size, offset), os.pread(self.both, size, offset)


Operation = Callable[[File, int, bytes], None]
CHANGES: tuple[Operation, ...] = (
    File.write, File.write, File.write_through_the_cache, File.write_through_the_cache, File.append, File.truncate,
    File.write_mapped, File.write_mapped, File.open_truncated, File.allocate, File.sync, File.open_again,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_draft_behaves_as_a_local_file(mounted: Mount, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    draft = mounted.incoming / "draft"
    draft.mkdir()
    files = File(draft / "file"), File(tmp_path / "file")
    for number in range(OPERATIONS):
        change, offset, size = chance.choice(CHANGES), chance.randrange(LIMIT), chance.choice(SIZES)
        data = chance.randbytes(size)
        for file in files:
            change(file, offset, data)
        ours, local = (file.read(offset, size) for file in files)
        assert ours == local, (number, change.__name__, offset, size)
        if number % 50 == 49:
            for file in files:
                file.close()
            version = mounted.artifacts / "draft" / mounted.commit("draft") / "file"
            assert version.read_bytes() == files[1].path.read_bytes(), number
            for file in files:
                file.open()
    for file in files:
        file.close()
