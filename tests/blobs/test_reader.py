"""Every byte that a blob's reader returns is right: else another place is tried, else it is an error that says so."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate, Failure
from artfs.blobs.reader import BlobReader
from artfs.content.digest import BLOCK_SIZE, FileDigest, hash_file, tagged
from artfs.errors import DigestMismatch, InvalidValue, PlaceChanged, ReaderClosed, StoreError
from artfs.stores.in_place import open_in_place
from artfs.stores.local.store import LocalReader

SIZES = [0, 1, 5000, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE, 3 * BLOCK_SIZE + 777]
NOISE = os.urandom(SIZES[-1])


class Place:
    """A file that a blob may be read from, which counts what is open."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.opened = 0
        self.read = 0
        self.closed = 0
        path.write_bytes(data)

    def candidate(self, *, owned: bool = True, mtime_ns: int | None = None, etag: str | None = None) -> Candidate:
        return Candidate(self._open, lambda: str(self.path), owned, mtime_ns, etag)

    def tamper(self, offset: int) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 1]))

    def _open(self) -> LocalReader:
        place = self

        class Counting(LocalReader):
            def pread(self, offset: int, size: int) -> bytes:
                place.read += 1
                return super().pread(offset, size)

            def close(self) -> None:
                place.closed += 1
                super().close()

        reader = Counting(os.open(self.path, os.O_RDONLY))
        self.opened += 1
        return reader


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place", NOISE)


@pytest.fixture
def second(tmp_path: Path) -> Place:
    return Place(tmp_path / "second", NOISE)


@pytest.fixture
def blob(place: Place) -> FileDigest:
    return hash_file(place.path)


@pytest.fixture
def reader(blob: FileDigest, place: Place) -> Iterator[BlobReader]:
    with BlobReader(blob, [place.candidate()]) as made:
        yield made


class TestReading:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("request_size", [131_072, 2**20, 5 * 2**20])
    def test_in_order_it_is_the_file(self, tmp_path: Path, size: int, request_size: int) -> None:
        place = Place(tmp_path / "file", NOISE[:size])
        with BlobReader(hash_file(place.path), [place.candidate()]) as reader:
            parts = [bytes(reader.read(at, request_size)) for at in range(0, size + 1, request_size)]
        assert b"".join(parts) == NOISE[:size]
        assert place.opened == place.closed

    def test_any_range_is_that_of_the_file(self, reader: BlobReader) -> None:
        chance = random.Random(1)
        for _ in range(100):
            at = chance.choice([0, BLOCK_SIZE, 2 * BLOCK_SIZE, chance.randrange(len(NOISE))]) + chance.randrange(-3, 4)
            size = chance.choice([0, 1, 4096, BLOCK_SIZE, 2 * BLOCK_SIZE + 1])
            at = max(0, at)
            assert bytes(reader.read(at, size)) == NOISE[at : at + size]
        assert bytes(reader.read(len(NOISE), 10)) == b"" == bytes(reader.read(len(NOISE) + 5, 10))

    def test_a_block_is_read_and_hashed_once(self, reader: BlobReader, place: Place) -> None:
        for at in range(0, BLOCK_SIZE, 131_072):
            reader.read(at, 131_072)
        assert place.read == 1

    def test_a_blob_of_one_block_is_not_held_open(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "small", b"small")
        reader = BlobReader(hash_file(place.path), [place.candidate()])
        assert place.opened == 0
        assert (bytes(reader.read(0, 2)), bytes(reader.read(2, 100))) == (b"sm", b"all")
        assert (place.opened, place.closed, place.read) == (1, 1, 1)
        reader.close()

    @pytest.mark.parametrize(
        ("size", "is_local", "at_once"), [(5000, True, True), (200_000, True, False), (5000, False, False)]
    )
    def test_a_small_file_that_the_kernel_has_in_memory_needs_no_waiting(
        self, tmp_path: Path, size: int, is_local: bool, at_once: bool
    ) -> None:
        place = Place(tmp_path / "file", NOISE[:size])
        candidate = replace(place.candidate(), is_local=is_local)
        with BlobReader(hash_file(place.path), [candidate]) as reader:
            assert reader.peek(100, 50) is None
            assert place.opened == 0, "only who may wait opens files"
            assert reader.peek(100, 50, is_near=True) == (NOISE[100:150] if at_once else None)
            assert place.opened == place.closed == int(at_once)
            assert bytes(reader.read(100, 50)) == NOISE[100:150]
        place.tamper(100)
        with BlobReader(hash_file(tmp_path / "file"), [candidate]) as reader:
            place.tamper(100)
            assert reader.peek(0, 50, is_near=True) is None

    def test_a_closed_reader_says_so(self, reader: BlobReader) -> None:
        reader.close()
        with pytest.raises(ReaderClosed, match="closed"):
            reader.read(0, 1)

    def test_a_closed_reader_has_nothing_to_fetch(self, reader: BlobReader) -> None:
        reader.close()
        assert not reader.prefetch(0)

    def test_a_large_blob_needs_its_block_digests(self, blob: FileDigest) -> None:
        with pytest.raises(InvalidValue, match="no block digests"):
            BlobReader(FileDigest(blob.digest, blob.size), [])


class TestWrongBytes:
    @pytest.mark.parametrize("block", [0, 1, 3])
    @pytest.mark.parametrize("position", ["first", "middle", "last"])
    def test_they_are_never_returned(self, reader: BlobReader, place: Place, block: int, position: str) -> None:
        start = block * BLOCK_SIZE
        last = min(start + BLOCK_SIZE, len(NOISE)) - 1
        place.tamper({"first": start, "middle": (start + last) // 2, "last": last}[position])
        for at in (start, (start + last) // 2, last):
            with pytest.raises(DigestMismatch, match=rf"place' is damaged: block {block} of it") as caught:
                reader.read(at, 1)
            assert caught.value.subject == str(place.path)
        for other in {0, 1, 2, 3} - {block}:
            assert bytes(reader.read(other * BLOCK_SIZE, 10)) == NOISE[other * BLOCK_SIZE : other * BLOCK_SIZE + 10]
        with pytest.raises(DigestMismatch):
            reader.read(0, len(NOISE))

    @pytest.mark.parametrize("size", [1, 5000, BLOCK_SIZE])
    @pytest.mark.parametrize("fault", ["tampered", "shorter", "empty"])
    def test_nor_those_of_a_small_blob(self, tmp_path: Path, size: int, fault: str) -> None:
        place = Place(tmp_path / "small", NOISE[:size])
        with BlobReader(hash_file(place.path), [place.candidate()]) as reader:
            if fault == "tampered":
                place.tamper(size - 1)
            else:
                os.truncate(place.path, size - 1 if fault == "shorter" else 0)
            with pytest.raises(DigestMismatch, match="is damaged: it should be b3:"):
                reader.read(0, 1)

    def test_a_truncated_file_is_noticed_where_it_ends(self, reader: BlobReader, place: Place) -> None:
        os.truncate(place.path, BLOCK_SIZE + 100)
        assert bytes(reader.read(0, BLOCK_SIZE)) == NOISE[:BLOCK_SIZE]
        for at in (BLOCK_SIZE, BLOCK_SIZE + 200, 3 * BLOCK_SIZE):
            with pytest.raises(DigestMismatch):
                reader.read(at, 1)

    def test_another_place_is_tried(self, blob: FileDigest, place: Place, second: Place) -> None:
        place.tamper(BLOCK_SIZE + 5)
        failed: list[tuple[str, str]] = []

        def note(failures: Sequence[Failure], recovered: bool) -> None:
            assert recovered
            failed.extend((failure.candidate.shown, type(failure.error).__name__) for failure in failures)

        with BlobReader(blob, [place.candidate(), second.candidate()], on_failure=note) as reader:
            assert bytes(reader.read(0, len(NOISE))) == NOISE
        assert failed == [(str(place.path), "DigestMismatch")]
        assert (place.opened, second.opened) == (place.closed, second.closed) == (1, 1)

    def test_a_place_that_is_gone_is_passed_over(self, blob: FileDigest, place: Place, second: Place) -> None:
        place.path.unlink()
        with BlobReader(blob, [place.candidate(), second.candidate()]) as reader:
            assert bytes(reader.read(10, 10)) == NOISE[10:20]

    def test_each_place_may_have_what_the_other_lost(self, blob: FileDigest, place: Place, second: Place) -> None:
        place.tamper(5)
        second.tamper(2 * BLOCK_SIZE)
        with BlobReader(blob, [place.candidate(), second.candidate()]) as reader:
            assert bytes(reader.read(0, len(NOISE))) == NOISE

    def test_wrong_bytes_are_told_rather_than_missing_ones(self, blob: FileDigest, place: Place, second: Place) -> None:
        place.path.unlink()
        second.tamper(0)
        with BlobReader(blob, [place.candidate(), second.candidate()]) as reader:
            with pytest.raises(DigestMismatch, match="second"):
                reader.read(0, 1)
            second.path.unlink()
        with BlobReader(blob, [place.candidate(), second.candidate()]) as reader, pytest.raises(FileNotFoundError):
            reader.read(0, 1)

    def test_bytes_that_lie_nowhere_are_an_error(self, blob: FileDigest) -> None:
        with pytest.raises(StoreError, match="lie in no store"):
            BlobReader(blob, []).read(0, 1)


class TestPrefetch:
    def test_the_next_block_is_read_ahead(self, reader: BlobReader, place: Place) -> None:
        assert reader.peek(BLOCK_SIZE, 10) is None
        assert reader.prefetch(1)
        assert bytes(reader.peek(BLOCK_SIZE, 10) or b"") == NOISE[BLOCK_SIZE : BLOCK_SIZE + 10]
        reader.read(BLOCK_SIZE, BLOCK_SIZE)
        assert place.read == 1
        assert not reader.prefetch(1)

    def test_there_is_nothing_after_the_end(self, reader: BlobReader) -> None:
        assert not reader.prefetch(4)
        assert reader.peek(len(NOISE), 1) == b""

    def test_a_failure_waits_for_the_read(self, reader: BlobReader, place: Place) -> None:
        place.tamper(BLOCK_SIZE)
        assert not reader.prefetch(1)
        with pytest.raises(DigestMismatch):
            reader.read(BLOCK_SIZE, 1)


class TestThreads:
    def test_many_readers_of_one_blob_get_right_bytes_and_leak_nothing(self, blob: FileDigest, place: Place) -> None:
        reader = BlobReader(blob, [place.candidate()], memory=Memory(BLOCK_SIZE))
        wrong: list[int] = []
        start = threading.Barrier(6)

        def read(seed: int) -> None:
            chance = random.Random(seed)
            start.wait()
            for _ in range(40):
                at = chance.randrange(len(NOISE))
                if bytes(reader.read(at, 131_072)) != NOISE[at : at + 131_072]:
                    wrong.append(at)
                reader.prefetch(at // BLOCK_SIZE + 1)

        _run(lambda: read(1), lambda: read(2), lambda: read(3), lambda: read(4), lambda: read(5), lambda: read(6))
        reader.close()
        assert wrong == []
        assert place.opened == place.closed == 1

    def test_closing_while_others_read_never_reads_another_file(self, blob: FileDigest, place: Place) -> None:
        for _ in range(30):
            reader = BlobReader(blob, [place.candidate()], memory=Memory(0))
            start = threading.Barrier(3)

            def read(reader: BlobReader = reader, start: threading.Barrier = start) -> None:
                start.wait()
                try:
                    assert bytes(reader.read(BLOCK_SIZE, 100)) == NOISE[BLOCK_SIZE : BLOCK_SIZE + 100]
                except ValueError:
                    assert reader is not None  # it was closed before the read began

            def close(reader: BlobReader = reader, start: threading.Barrier = start) -> None:
                start.wait()
                reader.close()

            _run(read, read, close)
        assert place.opened == place.closed


class TestMemory:
    def test_readers_share_what_they_verified(self, blob: FileDigest, place: Place) -> None:
        memory = Memory(8 * BLOCK_SIZE)
        for _ in range(3):
            with BlobReader(blob, [place.candidate()], memory=memory) as reader:
                assert bytes(reader.read(0, len(NOISE))) == NOISE
        assert place.opened == 1


class TestInPlace:
    def identity(self, place: Place) -> tuple[FileDigest, Candidate]:
        status = place.path.stat()
        digest = tagged(b"test", str(place.path).encode())
        return FileDigest(digest, status.st_size), place.candidate(owned=False, mtime_ns=status.st_mtime_ns)

    def test_data_without_a_digest_is_read_while_it_is_unchanged(self, place: Place) -> None:
        blob, candidate = self.identity(place)
        with BlobReader(blob, [candidate], has_digest=False) as reader:
            assert bytes(reader.read(5, BLOCK_SIZE)) == NOISE[5 : BLOCK_SIZE + 5]
            assert reader.peek(0, 1) is None and not reader.prefetch(0)

    @pytest.mark.parametrize("when", ["before opening", "after opening"])
    @pytest.mark.parametrize(("change", "says"), [("touch", "was modified after"), ("append", "and now has")])
    def test_a_change_of_it_is_an_error(self, place: Place, when: str, change: str, says: str) -> None:
        blob, candidate = self.identity(place)
        with BlobReader(blob, [candidate], has_digest=False) as reader:
            if when == "after opening":
                reader.read(0, 1)
            if change == "touch":
                os.utime(place.path, ns=(0, 0))
            else:
                os.truncate(place.path, blob.size + 1)
            with pytest.raises(PlaceChanged, match=rf"was changed: .*{says}"):
                reader.read(0, 1)
        assert place.opened == place.closed

    def test_data_with_a_digest_may_be_touched_but_not_changed(self, blob: FileDigest, place: Place) -> None:
        candidate = place.candidate(owned=False, mtime_ns=1)
        with BlobReader(blob, [candidate]) as reader:
            assert bytes(reader.read(0, 10)) == NOISE[:10]
        place.tamper(0)
        with (
            BlobReader(blob, [candidate]) as reader,
            pytest.raises(PlaceChanged, match="no longer what was registered"),
        ):
            reader.read(0, 10)

    def test_a_changed_etag_is_an_error(self, place: Place) -> None:
        blob, _ = self.identity(place)
        candidate = place.candidate(owned=False, etag="abc")
        with (
            BlobReader(blob, [candidate], has_digest=False) as reader,
            pytest.raises(PlaceChanged, match="ETag was abc"),
        ):
            reader.read(0, 1)

    def test_a_place_outside_of_stores_is_opened_by_its_path(self, place: Place, tmp_path: Path) -> None:
        with open_in_place(os.fsencode(place.path)) as reader:
            assert reader.pread(0, 10) == NOISE[:10]
        (tmp_path / "odd:").mkdir()
        odd = Place(tmp_path / "odd:" / "%41", b"odd")
        with open_in_place(os.fsencode(odd.path).replace(b"odd:/", b"odd://")) as reader:
            assert reader.pread(0, 10) == b"odd"
        (tmp_path / "link").symlink_to(place.path)
        with pytest.raises(OSError, match="symbolic links"):
            open_in_place(os.fsencode(tmp_path / "link"))
        with pytest.raises(StoreError, match="no artifact store for gopher:// is installed"):
            open_in_place(b"gopher://host/x")


def _run(*works: Callable[[], object]) -> None:
    """Run all at once; the first failure of any is that of the test."""
    with ThreadPoolExecutor(len(works)) as threads:
        for result in [threads.submit(work) for work in works]:
            result.result()
