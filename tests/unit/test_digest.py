"""Digests of files: whole and by block, whatever way the bytes come."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from artfs.content.digest import (
    BLOCK_SIZE,
    DIGEST_SIZE,
    LIST_SIZE,
    PIECE_SIZE,
    FileDigest,
    Hasher,
    format_digest,
    hash_bytes,
    hash_file,
    hash_pieces,
    list_digest,
    parse_digest,
    tagged,
)
from artfs.content.stream import SequentialHasher

NOISE = os.urandom(3 * BLOCK_SIZE + 5)
SIZES = [0, 1, 4096, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 2 * BLOCK_SIZE - 1, 2 * BLOCK_SIZE, 3 * BLOCK_SIZE + 5]


def expected(data: bytes) -> FileDigest:
    blocks = b"".join(blake3(data[at : at + BLOCK_SIZE]).digest() for at in range(0, len(data), BLOCK_SIZE))
    return FileDigest(hash_bytes(data), len(data), blocks if len(data) > BLOCK_SIZE else None)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_has_the_digest_of_its_bytes_and_of_each_block(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(NOISE[:size])
    assert hash_file(path) == expected(NOISE[:size])
    with path.open("rb") as file:
        assert hash_file(file.fileno()) == expected(NOISE[:size])


def lists_of(size: int) -> list[bytes]:
    return [hash_pieces(NOISE[at : min(at + BLOCK_SIZE, size)]) for at in range(0, size, BLOCK_SIZE)]


LAST_BLOCKS = [1, 4096, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, BLOCK_SIZE - PIECE_SIZE - 1]
LAST_BLOCKS += [BLOCK_SIZE - PIECE_SIZE, BLOCK_SIZE - PIECE_SIZE + 1, BLOCK_SIZE - 4096, BLOCK_SIZE - 1, BLOCK_SIZE]


@pytest.mark.parametrize("size", [blocks * BLOCK_SIZE + last for blocks in (1, 2) for last in LAST_BLOCKS])
@pytest.mark.parametrize("step", [4096, 100_000, 3 * BLOCK_SIZE])
def test_lists_of_pieces_are_the_same_whichever_way_a_file_is_hashed(tmp_path: Path, size: int, step: int) -> None:
    """Also where the last block lacks less than a piece, and has as many pieces as a full one."""
    lists = lists_of(size)
    (tmp_path / "file").write_bytes(NOISE[:size])
    hasher, stream = Hasher(), SequentialHasher()
    for at in range(0, size, step):
        hasher.update(NOISE[at : min(at + step, size)])
        stream.write(at, NOISE[at : min(at + step, size)])
    for found in (hash_file(tmp_path / "file"), hasher.finish(), hasher.copy().finish(), stream.result(size)):
        assert found == expected(NOISE[:size])
        assert found.lists == b"".join(lists)
        assert found.pieces == b"".join(map(list_digest, lists))


def test_lists_of_pieces_are_right_at_every_border_that_a_hasher_passes() -> None:
    """One hasher, asked before, at and after the end of each piece; it goes on from there."""
    hasher = Hasher()
    for border in range(BLOCK_SIZE, 3 * BLOCK_SIZE + 1, PIECE_SIZE):
        for size in (border - 1, border, border + 1):
            hasher.update(NOISE[hasher.size : size])
            found, block = hasher.finish(), (size - 1) // BLOCK_SIZE
            if block == 0:
                assert found.lists is None and found.pieces is None
                continue
            assert found.lists is not None and found.pieces is not None
            last = hash_pieces(NOISE[block * BLOCK_SIZE : size])
            assert found.lists[block * LIST_SIZE :] == last
            assert found.pieces[block * DIGEST_SIZE :] == list_digest(last)
    assert hasher.finish().lists == b"".join(lists_of(hasher.size))


def _runs_nothing(pool: ThreadPoolExecutor, work: Callable[[], object]) -> None:
    """A thread that gets no processor."""


def _starts_nothing(pool: ThreadPoolExecutor, work: Callable[[], object]) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("submit", [ThreadPoolExecutor.submit, _runs_nothing, _starts_nothing])
def test_a_large_file_is_hashed_whatever_its_thread_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submit: Callable[..., object]
) -> None:
    data = NOISE + NOISE[::-1]
    hasher = Hasher()
    hasher.update(data)
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    found, known = hash_file(tmp_path / "file"), hasher.finish()
    assert found == known == expected(data)
    assert (found.lists, found.pieces) == (known.lists, known.pieces)


@given(st.sampled_from(SIZES), st.lists(st.integers(1, 2 * BLOCK_SIZE), max_size=8))
def test_the_pieces_that_bytes_come_in_make_no_difference(size: int, pieces: list[int]) -> None:
    data, hasher, at = NOISE[:size], Hasher(), 0
    for piece in [*pieces, size]:
        hasher.update(memoryview(data)[at : at + piece])
        at += piece
    assert hasher.finish() == expected(data)


def test_a_hasher_and_its_copy_go_on_apart() -> None:
    first = Hasher()
    first.update(NOISE[: BLOCK_SIZE + 10])
    second = first.copy()
    first.update(b"one")
    second.update(b"two")
    assert first.finish() == expected(NOISE[: BLOCK_SIZE + 10] + b"one")
    assert second.finish() == expected(NOISE[: BLOCK_SIZE + 10] + b"two")


@pytest.mark.parametrize("end", [0, 1, BLOCK_SIZE])
def test_holes_are_zeros(tmp_path: Path, end: int) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"start")
        file.seek(4 * BLOCK_SIZE + 4096)
        file.write(b"middle")
        file.truncate(9 * BLOCK_SIZE + end)
    assert hash_file(path) == expected(path.read_bytes())


def test_hashing_stops_when_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(NOISE)
    with pytest.raises(InterruptedError):
        hash_file(path, lambda: True)


def test_a_block_that_is_not_there_is_an_error() -> None:
    digest = expected(NOISE)
    assert digest.block(3) == hash_bytes(NOISE[3 * BLOCK_SIZE :])
    for index in (4, -1):
        with pytest.raises(ValueError, match="no block"):
            digest.block(index)
    assert expected(b"x").block(0) == hash_bytes(b"x")
    with pytest.raises(ValueError, match="one block"):
        expected(b"x").block(1)


@given(st.binary(min_size=32, max_size=32))
def test_a_digest_survives_its_text(digest: bytes) -> None:
    assert parse_digest(format_digest(digest)) == digest


@pytest.mark.parametrize(
    "text", ["", "b3:", "b3:" + "0" * 63, "b3:" + "g" * 64, "sha256:" + "0" * 64, "0" * 67, "b3:" + " 0" * 32]
)
def test_other_text_is_no_digest(text: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        parse_digest(text)


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_tagged_digests_are_equal_only_for_equal_parts(one: list[bytes], other: list[bytes]) -> None:
    assert (tagged(b"test", *one) == tagged(b"test", *other)) == (one == other)


def test_domains_are_apart_from_each_other_and_from_contents() -> None:
    assert (
        len({tagged(b"tree", b"x"), tagged(b"link", b"x"), hash_bytes(b"x"), hash_bytes(b"\1" + bytes(7) + b"x")}) == 4
    )
