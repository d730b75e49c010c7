"""Digests made while a file is written: right, or admitted not to be known."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.content.digest import BLOCK_SIZE, FileDigest, Hasher
from artfs.content.stream import EARLY_LIMIT, EARLY_PIECES, PAGE_SIZE, SequentialHasher

NOISE = os.urandom(2 * BLOCK_SIZE + 999)


def expected(data: bytes) -> FileDigest:
    hasher = Hasher()
    hasher.update(data)
    return hasher.finish()


operations = st.lists(
    st.tuples(st.just("write"), st.integers(0, 20_000), st.integers(1, 9_000), st.integers(0, 255))
    | st.tuples(st.just("append"), st.just(0), st.integers(1, 9_000), st.integers(0, 255))
    | st.tuples(st.just("truncate"), st.integers(0, 20_000), st.just(0), st.just(0)),
    max_size=12,
)


@given(operations)
def test_what_it_says_is_always_the_digest_of_the_file(steps: list[tuple[str, int, int, int]]) -> None:
    stream, file = SequentialHasher(), bytearray()
    for kind, at, length, value in steps:
        if kind == "truncate":
            stream.truncate(at)
            del file[at:]
            file.extend(bytes(at - len(file)))
        else:
            offset = len(file) if kind == "append" else at
            data = bytes([value]) * length
            stream.write(offset, data)
            file.extend(bytes(max(0, offset + length - len(file))))
            file[offset : offset + length] = data
        said = stream.result(len(file))
        assert said in (None, expected(bytes(file)))


@given(st.lists(st.integers(1, 200_000), max_size=40), st.integers(0, 2**32))
def test_a_file_written_in_order_is_known(pieces: list[int], seed: int) -> None:
    """With what a writeback cache does: the last partial page again with each flush, and neighbours swapped."""
    chance, stream, at = random.Random(seed), SequentialHasher(), 0
    writes: list[tuple[int, bytes]] = []
    for piece in pieces:
        start = at - at % PAGE_SIZE if chance.random() < 0.5 else at
        end = min(at + piece, len(NOISE))
        writes.append((start, NOISE[start:end]))
        at = end
    for index in range(0, len(writes) - 1, 2):
        overlap = writes[index + 1][0] < writes[index][0] + len(writes[index][1])
        if not overlap and chance.random() < 0.3:
            writes[index], writes[index + 1] = writes[index + 1], writes[index]
    for offset, data in writes:
        stream.write(offset, data)
    assert stream.result(at) == expected(NOISE[:at])


def test_the_last_partial_page_may_be_written_again() -> None:
    stream = SequentialHasher()
    stream.write(0, NOISE[:5000])
    stream.write(4096, NOISE[4096:9000])
    assert stream.result(9000) == expected(NOISE[:9000])


def test_a_page_that_was_hashed_may_not() -> None:
    stream = SequentialHasher()
    stream.write(0, NOISE[:5000])
    stream.write(0, NOISE[:5000])
    assert stream.result(5000) is None
    assert stream.broken


def test_the_stream_goes_on_after_a_result() -> None:
    stream = SequentialHasher()
    stream.write(0, b"abc")
    assert stream.result(3) == expected(b"abc")
    stream.write(3, b"def")
    assert stream.result(6) == expected(b"abcdef")


def test_a_newer_write_replaces_an_early_one() -> None:
    stream = SequentialHasher()
    stream.write(8192, b"o" * 4096)
    stream.write(9000, b"n" * 100)
    stream.write(0, b"x" * 8192)
    wanted = b"x" * 8192 + b"o" * 808 + b"n" * 100 + b"o" * 3188
    assert stream.result(len(wanted)) == expected(wanted)


def test_a_hole_is_not_guessed() -> None:
    stream = SequentialHasher()
    stream.write(4096, b"x")
    assert stream.result(4097) is None
    stream.truncate(0)
    stream.truncate(10)
    assert stream.result(10) is None


def test_a_file_made_long_first_and_then_filled_is_known() -> None:
    stream = SequentialHasher()
    stream.truncate(9000)
    stream.write(0, NOISE[:9000])
    assert stream.result(9000) == expected(NOISE[:9000])


def test_an_emptied_file_begins_anew() -> None:
    stream = SequentialHasher()
    stream.write(0, NOISE[:10_000])
    stream.write(5, b"back")
    assert stream.broken
    stream.truncate(0)
    stream.write(0, b"again")
    assert stream.result(5) == expected(b"again")


def test_what_waits_for_a_gap_is_bounded() -> None:
    stream = SequentialHasher()
    piece = bytes(EARLY_LIMIT // 4)
    for index in range(4):
        stream.write(4096 + index * len(piece), piece)
    assert not stream.broken
    stream.write(4096 + 4 * len(piece), b"x")
    assert stream.broken


def test_a_program_that_writes_here_and_there_is_given_up_early() -> None:
    stream = SequentialHasher()
    for index in range(1, EARLY_PIECES + 2):
        assert not stream.broken
        stream.write(index * 2 * PAGE_SIZE, b"x")
    assert stream.broken


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_any_buffer_will_do(data: bytes | bytearray | memoryview) -> None:
    stream = SequentialHasher()
    stream.write(0, data)
    assert stream.result(3) == expected(b"abc")
