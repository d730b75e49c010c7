"""Small reads of large blobs cost pieces and a list, and none of them is ever returned unverified."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate, Failure
from artfs.blobs.reader import BlobReader
from artfs.content.digest import BLOCK_SIZE, LIST_SIZE, PIECE_SIZE, FileDigest, Hasher, hash_file
from artfs.errors import DigestMismatch
from artfs.stores.base import PlaceReader
from artfs.stores.local.store import LocalReader

SIZE = 5 * BLOCK_SIZE + 3 * PIECE_SIZE + 777
NOISE = random.Random(1).randbytes(SIZE)


class Files:
    """A blob and its lists in files, which count the bytes that are read of them."""

    def __init__(self, folder: Path, data: bytes = NOISE) -> None:
        self.path, self.lists = folder / "blob", folder / "lists"
        self.path.write_bytes(data)
        self.file = hash_file(self.path)
        assert self.file.lists is not None
        self.lists.write_bytes(self.file.lists)
        self.reads: list[tuple[str, int, int]] = []
        self.failures: list[Failure] = []

    @property
    def known(self) -> FileDigest:
        """What the catalog knows: not the lists."""
        return FileDigest(self.file.digest, self.file.size, self.file.blocks, self.file.pieces)

    def candidate(self) -> Candidate:
        return Candidate(
            lambda: self._open(self.path),
            lambda: str(self.path),
            key=self.path,
            open_lists=lambda: self._open(self.lists),
        )

    def reader(self, memory: Memory | None = None) -> BlobReader:
        return BlobReader(self.known, [self.candidate()], memory=memory, on_failure=self._failed)

    def total(self) -> int:
        return sum(size for _, _, size in self.reads)

    def _failed(self, failures: Sequence[Failure], recovered: bool) -> None:
        self.failures.extend(failures)

    def _open(self, path: Path) -> PlaceReader:
        files = self

        class Counting(LocalReader):
            def pread(self, offset: int, size: int) -> bytes:
                data = super().pread(offset, size)
                files.reads.append((path.name, offset, len(data)))
                return data

        return Counting(os.open(path, os.O_RDONLY))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def reader(files: Files) -> Iterator[BlobReader]:
    with files.reader() as made:
        yield made


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


class TestCost:
    def test_a_piece_costs_itself_and_its_list(self, files: Files, reader: BlobReader) -> None:
        at = 2 * BLOCK_SIZE + 5 * PIECE_SIZE
        assert bytes(reader.read(at, PIECE_SIZE)) == NOISE[at : at + PIECE_SIZE]
        assert files.reads == [("lists", 2 * LIST_SIZE, LIST_SIZE), ("blob", at, PIECE_SIZE)]

    def test_random_reads_cost_at_most_the_pieces_they_touch_and_the_lists(self, files: Files) -> None:
        chance = random.Random(2)
        with files.reader(Memory(64 * BLOCK_SIZE)) as reader:
            touched: set[int] = set()
            for _ in range(200):
                at = chance.randrange(SIZE - PIECE_SIZE)
                assert bytes(reader.read(at, PIECE_SIZE)) == NOISE[at : at + PIECE_SIZE]
                touched |= {at // PIECE_SIZE, (at + PIECE_SIZE - 1) // PIECE_SIZE}
        assert files.total() <= len(touched) * PIECE_SIZE + len(files.file.lists or b"")

    def test_pieces_side_by_side_are_one_read_and_those_that_are_here_none(
        self, files: Files, reader: BlobReader
    ) -> None:
        reader.read(3 * PIECE_SIZE, PIECE_SIZE)
        files.reads.clear()
        assert bytes(reader.read(PIECE_SIZE, 5 * PIECE_SIZE)) == NOISE[PIECE_SIZE : 6 * PIECE_SIZE]
        assert files.reads == [("blob", PIECE_SIZE, 2 * PIECE_SIZE), ("blob", 4 * PIECE_SIZE, 2 * PIECE_SIZE)]

    @pytest.mark.parametrize("by_blocks", [True, False])
    def test_what_is_most_of_a_block_is_read_as_the_block(
        self, files: Files, reader: BlobReader, by_blocks: bool
    ) -> None:
        size = 100 if by_blocks else BLOCK_SIZE - 100
        assert bytes(reader.read(BLOCK_SIZE, size, by_blocks=by_blocks)) == NOISE[BLOCK_SIZE : BLOCK_SIZE + size]
        assert files.reads == [("blob", BLOCK_SIZE, BLOCK_SIZE)]

    def test_pieces_in_memory_can_be_had_without_waiting(self, files: Files, reader: BlobReader) -> None:
        at = 3 * PIECE_SIZE + 100
        assert reader.peek(at, PIECE_SIZE) is None
        reader.read(at, PIECE_SIZE)
        files.reads.clear()
        assert bytes(reader.peek(at, PIECE_SIZE) or b"") == NOISE[at : at + PIECE_SIZE]
        assert reader.peek(at, 2 * PIECE_SIZE) is None
        assert files.reads == []

    def test_equal_pieces_are_read_once(self, tmp_path: Path) -> None:
        files = Files(tmp_path, bytes(2 * BLOCK_SIZE))
        with files.reader() as reader:
            assert bytes(reader.read(100, 10 * PIECE_SIZE)) == bytes(10 * PIECE_SIZE)
        assert [size for name, _, size in files.reads if name == "blob"] == [PIECE_SIZE]

    def test_two_readers_of_a_block_make_one_read(self, files: Files) -> None:
        memory, start = Memory(8 * BLOCK_SIZE), threading.Barrier(8)

        def read(_: int) -> bytes:
            with files.reader(memory) as reader:
                start.wait()
                return bytes(reader.read(BLOCK_SIZE, BLOCK_SIZE))

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(read, range(8))) == {NOISE[BLOCK_SIZE : 2 * BLOCK_SIZE]}
        assert files.reads == [("blob", BLOCK_SIZE, BLOCK_SIZE)]


class TestWrongBytes:
    @pytest.mark.parametrize("where", [0, PIECE_SIZE - 1, SIZE - 1, 2 * BLOCK_SIZE + 7 * PIECE_SIZE + 5])
    def test_a_wrong_byte_in_a_piece_is_never_returned(self, files: Files, reader: BlobReader, where: int) -> None:
        flip(files.path, where)
        for size in (1, PIECE_SIZE, 3 * PIECE_SIZE):
            with pytest.raises(DigestMismatch, match=r"'.*blob' is damaged: a piece of block . of it should be"):
                reader.read(max(0, where - size + 1), size)
        assert {failure.candidate.shown for failure in files.failures} == {str(files.path)}

    def test_the_other_pieces_of_its_block_can_be_read(self, files: Files, reader: BlobReader) -> None:
        flip(files.path, 100)
        assert bytes(reader.read(PIECE_SIZE, 10)) == NOISE[PIECE_SIZE : PIECE_SIZE + 10]

    def test_a_wrong_list_is_told_and_the_block_is_read(self, files: Files, reader: BlobReader) -> None:
        flip(files.lists, LIST_SIZE + 40)
        assert bytes(reader.read(BLOCK_SIZE + 5, 10)) == NOISE[BLOCK_SIZE + 5 : BLOCK_SIZE + 15]
        assert files.reads[-1] == ("blob", BLOCK_SIZE, BLOCK_SIZE)
        [failure] = files.failures
        message = str(failure.error)
        assert "the list of the pieces of block 1 of" in message and failure.is_of_list
        assert f"for a file of {SIZE} bytes it should be b3:" in message, "a file may be shorter than its name says"
        reader.memory.clear()
        reader.read(BLOCK_SIZE + 5, 10)
        assert files.failures == [failure], "it is asked for once"
        assert bytes(reader.read(2 * BLOCK_SIZE, 10)) == NOISE[2 * BLOCK_SIZE : 2 * BLOCK_SIZE + 10]
        assert files.reads[-1] == ("blob", 2 * BLOCK_SIZE, PIECE_SIZE), "the lists of other blocks are right"

    def test_a_wrong_list_and_a_wrong_block_give_nothing(self, files: Files, reader: BlobReader) -> None:
        flip(files.lists, 3)
        flip(files.path, BLOCK_SIZE - 1)
        with pytest.raises(DigestMismatch, match="block 0 of it"):
            reader.read(5, 10)

    @pytest.mark.parametrize("size", [0, LIST_SIZE - 32])
    def test_a_list_that_ends_too_early_is_a_wrong_one(self, files: Files, reader: BlobReader, size: int) -> None:
        os.truncate(files.lists, size)
        assert bytes(reader.read(5, 10)) == NOISE[5:15]
        assert len(files.failures) == 1

    def test_without_lists_blocks_are_read_and_nothing_is_told(self, files: Files, reader: BlobReader) -> None:
        files.lists.unlink()
        for at in (5, BLOCK_SIZE):
            assert bytes(reader.read(at, 10)) == NOISE[at : at + 10]
        assert files.reads == [("blob", 0, BLOCK_SIZE), ("blob", BLOCK_SIZE, BLOCK_SIZE)]
        assert files.failures == []

    def test_lists_of_another_place_do_as_well(self, files: Files, tmp_path: Path) -> None:
        (tmp_path / "second").mkdir()
        second = Files(tmp_path / "second")
        files.lists.unlink()
        with BlobReader(files.known, [files.candidate(), second.candidate()]) as reader:
            assert bytes(reader.read(5, 10)) == NOISE[5:15]
        assert (files.reads, second.reads) == ([("blob", 0, PIECE_SIZE)], [("lists", 0, LIST_SIZE)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, SIZE + 10), st.sampled_from([1, 100, PIECE_SIZE, 300_000, BLOCK_SIZE, SIZE])),
        max_size=12,
    ),
    st.sampled_from([0, PIECE_SIZE, 3 * BLOCK_SIZE]),
    st.sets(st.integers(0, SIZE // BLOCK_SIZE)),
)
def test_any_reads_are_those_of_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, reads: list[tuple[int, int]], memory: int, wrong_lists: set[int]
) -> None:
    files = Files(tmp_path_factory.mktemp("blob"))
    for block in wrong_lists:
        flip(files.lists, block * LIST_SIZE)
    with files.reader(Memory(memory)) as reader:
        for offset, size in reads:
            expected = NOISE[offset : offset + size]
            peeked = reader.peek(offset, size)
            assert peeked is None or bytes(peeked) == expected
            assert bytes(reader.read(offset, size, by_blocks=size == 100)) == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from([1, 4096, PIECE_SIZE, PIECE_SIZE + 1, 131_072, 2**20, BLOCK_SIZE]), max_size=40))
def test_bytes_that_come_in_any_parts_have_the_pieces_of_their_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int]
) -> None:
    hasher, at = Hasher(), 0
    for part in [*parts, SIZE]:
        hasher.update(NOISE[at : at + part])
        at += part
    path = tmp_path_factory.mktemp("file") / "file"
    path.write_bytes(NOISE)
    made, read = hasher.finish(), hash_file(path)
    assert (made.pieces, made.lists) == (read.pieces, read.lists) and read.lists is not None
