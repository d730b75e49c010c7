"""Digests made beside the writing are those of the file, however far behind the hashing is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from artfs.content.digest import hash_bytes
from artfs.content.stream import SequentialHasher
from artfs_mount.incoming.hashing import QUEUE_BYTES, BackgroundHasher

PIECE = 1 << 20
NOISE = os.urandom(3 * QUEUE_BYTES)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def digest(hasher: BackgroundHasher, size: int) -> bytes | None:
    found = hasher.result(size)
    return found.digest if found is not None else None


@pytest.mark.parametrize("piece", [999, 70_000, PIECE])
def test_a_file_in_pieces(threads: ThreadPoolExecutor, piece: int) -> None:
    hasher = BackgroundHasher(threads)
    for at in range(0, len(NOISE), piece):
        hasher.write(at, NOISE[at : at + piece])
    assert digest(hasher, len(NOISE)) == hash_bytes(NOISE)


def test_while_no_thread_is_free(threads: ThreadPoolExecutor) -> None:
    free = threading.Event()
    threads.submit(free.wait)
    hasher = BackgroundHasher(threads)
    try:
        for at in range(0, len(NOISE), PIECE):
            hasher.write(at, NOISE[at : at + PIECE])
        assert digest(hasher, len(NOISE)) == hash_bytes(NOISE)
    finally:
        free.set()


def test_truncated_to_what_was_not_hashed_yet(threads: ThreadPoolExecutor) -> None:
    hasher = BackgroundHasher(threads)
    hasher.write(0, b"x" * 100)
    hasher.truncate(0)
    hasher.write(0, b"abc")
    assert digest(hasher, 3) == hash_bytes(b"abc")


def test_written_out_of_order(threads: ThreadPoolExecutor) -> None:
    hasher = BackgroundHasher(threads)
    hasher.write(0, NOISE[:PIECE])
    hasher.write(10, b"x")
    assert digest(hasher, PIECE) is None


@pytest.mark.expected_warnings("hashing beside the writing failed")
def test_what_cannot_be_hashed_has_no_digest_and_stops_nobody(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a piece may have been hashed: no digest is better than a wrong one."""

    class Panic(BaseException):
        pass

    def half(self: SequentialHasher, offset: int, data: bytes) -> None:
        write(self, offset, data[: len(data) // 2])
        write(self, offset + len(data) // 2, data[len(data) // 2 :])
        raise Panic

    write = SequentialHasher.write
    hasher = BackgroundHasher(threads)
    hasher.write(0, NOISE[:PIECE])
    assert digest(hasher, PIECE) == hash_bytes(NOISE[:PIECE])
    monkeypatch.setattr(SequentialHasher, "write", half)
    hasher.write(PIECE, NOISE[PIECE : 2 * PIECE])
    assert digest(hasher, 2 * PIECE) is None
    monkeypatch.undo()
    hasher.truncate(0)
    hasher.write(0, NOISE[:PIECE])
    assert digest(hasher, PIECE) == hash_bytes(NOISE[:PIECE])


def test_where_no_thread_can_be_started_the_writer_hashes() -> None:
    with ThreadPoolExecutor(1) as ended:
        pass
    hasher = BackgroundHasher(ended)
    hasher.write(0, NOISE)
    hasher.write(len(NOISE), NOISE[:PIECE])
    assert digest(hasher, len(NOISE) + PIECE) == hash_bytes(NOISE + NOISE[:PIECE])
