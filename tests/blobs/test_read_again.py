"""Blocks that were verified before are served without hashing them again, and only while nothing has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.content.digest import BLOCK_SIZE, Hasher
from artfs.errors import DigestMismatch
from artfs.stores.local.store import LocalReader


def test_a_part_of_a_block_read_again_is_not_hashed_again_but_a_change_is_seen(tmp_path: Path) -> None:
    content = os.urandom(3 * BLOCK_SIZE)
    path = tmp_path / "blob"
    path.write_bytes(content)
    os.utime(path, ns=(0, 0))
    hasher = Hasher()
    hasher.update(content)
    memory = Memory(0)
    reads: list[int] = []

    class Counting(LocalReader):
        def pread(self, offset: int, size: int) -> bytes:
            reads.append(size)
            return super().pread(offset, size)

        @property
        def stamp(self) -> object:
            return os.fstat(self.descriptor).st_ctime_ns  # settled or not: the test makes no second change in one tick

    def opened() -> LocalReader:
        return Counting(os.open(path, os.O_RDONLY))

    with BlobReader(hasher.finish(), [Candidate(opened, lambda: str(path))], memory=memory) as reader:
        assert reader.read(10, 5) == content[10:15]
        assert reader.read(100, 5) == content[100:105]
        assert reads == [BLOCK_SIZE, 5]
        before = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before:
            with open(path, "r+b") as file:
                file.seek(50)
                file.write(b"tampered")
        with pytest.raises(DigestMismatch):
            reader.read(100, 5)
