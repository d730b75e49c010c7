"""The disk cache: its limit holds at all times, and nothing that happens to it is ever more than a miss."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artfs.blobs import disk as disk_module
from artfs.blobs.disk import SEGMENT_SIZE, DiskCache
from artfs.content.digest import BLOCK_SIZE, PIECE_SIZE, Digest, hash_bytes
from artfs.sharing import GROUP, OWNER, Sharing
from support.programs import all_ended

LARGE = 200 * 2**20
"""Bytes of a blob of several segments."""


def right(data: bytes) -> Callable[[bytes], bool]:
    return lambda found: found == data


def noise(number: int, size: int = PIECE_SIZE) -> bytes:
    return random.Random(number).randbytes(size)


def blob(number: int) -> Digest:
    return hash_bytes(b"%d" % number)


def taken(folder: Path) -> int:
    """The bytes that files take. Nobody may write meanwhile: what went and what came would both count."""
    with (folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return sum(entry.stat().st_blocks * 512 for entry in os.scandir(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".artfs" / "blobs"


@pytest.fixture
def disk(folder: Path) -> DiskCache:
    return DiskCache(folder, 2**30, OWNER)


class TestKeeping:
    @pytest.mark.parametrize("size", [1, 5000, PIECE_SIZE, BLOCK_SIZE])
    def test_a_small_file_is_kept_whole(self, disk: DiskCache, size: int) -> None:
        data = noise(1, size)
        assert disk.get(blob(1), size, 0, size, right(data)) is None
        disk.put(blob(1), size, 0, data)
        assert disk.get(blob(1), size, 0, size, right(data)) == data

    @pytest.mark.parametrize("offset", [0, 5 * PIECE_SIZE, SEGMENT_SIZE - PIECE_SIZE, SEGMENT_SIZE, 3 * SEGMENT_SIZE])
    def test_pieces_of_a_large_one_are_kept_where_they_belong(self, disk: DiskCache, folder: Path, offset: int) -> None:
        data = noise(1)
        disk.put(blob(1), LARGE, offset, data)
        assert disk.get(blob(1), LARGE, offset, PIECE_SIZE, right(data)) == data
        assert disk.get(blob(1), LARGE, offset + PIECE_SIZE, PIECE_SIZE, right(data)) is None
        assert taken(folder) < 2 * PIECE_SIZE

    def test_a_block_is_there_when_all_its_pieces_are(self, disk: DiskCache) -> None:
        data = noise(1, BLOCK_SIZE)
        for at in range(0, BLOCK_SIZE - PIECE_SIZE, PIECE_SIZE):
            disk.put(blob(1), LARGE, BLOCK_SIZE + at, data[at : at + PIECE_SIZE])
        assert disk.get(blob(1), LARGE, BLOCK_SIZE, BLOCK_SIZE, right(data)) is None
        disk.put(blob(1), LARGE, 2 * BLOCK_SIZE - PIECE_SIZE, data[-PIECE_SIZE:])
        assert disk.get(blob(1), LARGE, BLOCK_SIZE, BLOCK_SIZE, right(data)) == data

    def test_the_last_piece_may_be_short(self, disk: DiskCache) -> None:
        data = noise(1, 77)
        disk.put(blob(1), BLOCK_SIZE + 77, BLOCK_SIZE, data)
        assert disk.get(blob(1), BLOCK_SIZE + 77, BLOCK_SIZE, 77, right(data)) == data

    @pytest.mark.parametrize("sharing", [OWNER, GROUP])
    def test_its_files_have_the_modes_of_the_home(self, folder: Path, sharing: Sharing) -> None:
        folder.parents[1].chmod(sharing.folder)
        disk = DiskCache(folder, 2**30, sharing)
        disk.put(blob(1), 10, 0, noise(1, 10))
        disk.put(blob(2), LARGE, 0, noise(2))
        assert {entry.stat().st_mode & 0o7777 for entry in os.scandir(folder)} == {sharing.file}
        assert folder.stat().st_mode & 0o7777 == sharing.folder


class TestDamage:
    @pytest.mark.parametrize("size", [PIECE_SIZE, LARGE])
    def test_what_is_wrong_is_a_miss_once_and_may_come_again(self, disk: DiskCache, folder: Path, size: int) -> None:
        data = noise(1)
        disk.put(blob(1), size, 0, data)
        [path] = [path for path in folder.iterdir() if path.name != "lock"]
        content = path.read_bytes()
        path.write_bytes(content[:-1] + b"?" if size == PIECE_SIZE else content.replace(data, noise(2), 1))
        assert disk.get(blob(1), size, 0, PIECE_SIZE, right(data)) is None
        asked: list[bytes] = []
        assert disk.get(blob(1), size, 0, PIECE_SIZE, lambda found: asked.append(found) is None) is None
        assert asked == [], "it was forgotten"
        disk.put(blob(1), size, 0, data)
        assert disk.get(blob(1), size, 0, PIECE_SIZE, right(data)) == data

    @pytest.mark.parametrize("size", [PIECE_SIZE, LARGE])
    def test_a_file_that_was_cut_short_is_a_miss(self, disk: DiskCache, folder: Path, size: int) -> None:
        data = noise(1)
        disk.put(blob(1), size, 0, data)
        for path in folder.iterdir():
            os.truncate(path, 5)
        assert disk.get(blob(1), size, 0, PIECE_SIZE, right(data)) is None
        disk.put(blob(1), size, 0, data)
        assert disk.get(blob(1), size, 0, PIECE_SIZE, right(data)) == data

    def test_a_folder_that_is_removed_meanwhile_begins_anew(self, disk: DiskCache, folder: Path) -> None:
        disk.put(blob(1), 10, 0, noise(1, 10))
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        assert disk.get(blob(1), 10, 0, 10, right(noise(1, 10))) is None
        disk.put(blob(1), 10, 0, noise(1, 10))
        assert disk.get(blob(1), 10, 0, 10, right(noise(1, 10))) == noise(1, 10)


class TestLimit:
    def test_it_holds_after_each_write_and_what_was_used_longest_ago_goes_first(self, folder: Path) -> None:
        disk = DiskCache(folder, 4 * 2**20, OWNER)
        for number in range(200):
            disk.put(blob(number), PIECE_SIZE, 0, noise(number))
            assert taken(folder) <= disk.limit
            assert disk.get(blob(0), PIECE_SIZE, 0, PIECE_SIZE, right(noise(0))) is not None, "used all the time"
        kept = [number for number in range(200) if disk.get(blob(number), PIECE_SIZE, 0, PIECE_SIZE, lambda _: True)]
        assert kept == [0, *range(kept[1], 200)]
        assert taken(folder) > disk.limit // 2
        assert taken(folder) <= disk.used() <= disk.limit

    def test_a_blob_larger_than_the_cache_is_read_through_it(self, folder: Path) -> None:
        disk = DiskCache(folder, SEGMENT_SIZE + 8 * BLOCK_SIZE, OWNER)
        data = noise(1, BLOCK_SIZE)
        for at in range(0, LARGE, BLOCK_SIZE):
            disk.put(blob(1), LARGE, at, data)
            assert taken(folder) <= disk.limit
        last = LARGE // BLOCK_SIZE * BLOCK_SIZE - BLOCK_SIZE
        assert disk.get(blob(1), LARGE, last, BLOCK_SIZE, right(data)) == data
        assert disk.get(blob(1), LARGE, 0, BLOCK_SIZE, right(data)) is None

    def test_what_is_larger_than_all_of_it_is_not_kept(self, folder: Path) -> None:
        disk = DiskCache(folder, PIECE_SIZE, OWNER)
        disk.put(blob(1), PIECE_SIZE, 0, noise(1))
        assert not folder.exists()

    def test_several_processes_together_hold_it(self, folder: Path) -> None:
        limit = 8 * 2**20
        processes = [
            multiprocessing.get_context("fork").Process(target=_fill, args=(folder, limit, n)) for n in range(4)
        ]
        for process in processes:
            process.start()
        most = 0
        while any(process.is_alive() for process in processes):
            if (folder / "lock").exists():
                most = max(most, taken(folder))
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert limit // 2 < most <= limit

    def test_a_lower_limit_holds_from_the_next_write_on(self, folder: Path) -> None:
        large = DiskCache(folder, 2**30, OWNER)
        for number in range(50):
            large.put(blob(number), PIECE_SIZE, 0, noise(number))
        small = DiskCache(folder, 2**20, OWNER)
        small.put(blob(99), PIECE_SIZE, 0, noise(99))
        assert taken(folder) <= small.limit
        assert small.get(blob(99), PIECE_SIZE, 0, PIECE_SIZE, right(noise(99))) == noise(99)


def _fill(folder: Path, limit: int, seed: int) -> None:
    """Write and read at random; whatever is found is right."""
    disk, chance = DiskCache(folder, limit, OWNER), random.Random(seed)
    for _ in range(300):
        number = chance.randrange(60)
        size, at = (PIECE_SIZE, 0) if number % 2 else (LARGE, chance.randrange(LARGE // PIECE_SIZE) * PIECE_SIZE)
        data = noise(number * 1_000_000 + at)
        found = disk.get(blob(number), size, at, PIECE_SIZE, lambda _: True)
        if found is None:
            disk.put(blob(number), size, at, data)
        else:
            assert found == data


class TestKills:
    def test_a_kill_at_any_moment_leaves_a_cache_that_works_within_its_limit(self, folder: Path) -> None:
        limit, chance = 6 * 2**20, random.Random(1)
        for turn in range(15):
            program = (
                f"from test_disk import _fill; from pathlib import Path; _fill(Path({str(folder)!r}), {limit}, {turn})"
            )
            here = Path(__file__).parent
            process = subprocess.Popen(
                [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
            )
            with all_ended(process):
                while not (folder / "lock").exists() and process.poll() is None:
                    pass
                begun, wait = time.monotonic(), chance.random() * 0.3
                while time.monotonic() - begun < wait and process.poll() is None:
                    assert taken(folder) <= limit
                process.kill()
                assert process.wait() in (0, -signal.SIGKILL)
            _fill(folder, limit, 100 + turn)
            assert taken(folder) <= limit

    def test_what_a_dead_process_had_booked_is_free_again(self, folder: Path) -> None:
        disk = DiskCache(folder, 2**20, OWNER)
        disk.put(blob(1), PIECE_SIZE, 0, noise(1))
        (folder / "lock").write_bytes((2**20).to_bytes(8, "little"))
        disk.put(blob(2), PIECE_SIZE, 0, noise(2))
        for number in (1, 2):
            assert disk.get(blob(number), PIECE_SIZE, 0, PIECE_SIZE, right(noise(number))) is not None
        assert disk.used() < 2**19


class TestTrouble:
    def test_who_reads_does_not_wait_for_a_process_that_was_stopped_with_the_lock(
        self, disk: DiskCache, folder: Path
    ) -> None:
        disk.put(blob(1), 10, 0, noise(1, 10))
        with (folder / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            disk.put(blob(2), 10, 0, noise(2, 10))
            assert disk.get(blob(2), 10, 0, 10, lambda _: True) is None
            assert disk.get(blob(1), 10, 0, 10, lambda _: True) == noise(1, 10)
        disk.put(blob(2), 10, 0, noise(2, 10))
        assert disk.get(blob(2), 10, 0, 10, lambda _: True) == noise(2, 10)

    @pytest.mark.expected_warnings("the disk of the cache at '.*' is full: reading goes on without it")
    def test_a_full_disk_is_told_once_and_left_alone_for_a_while(
        self, disk: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        disk.put(blob(1), 10, 0, noise(1, 10))

        def full(file: int, data: bytes, offset: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(disk_module, "_write_at", full)
        for number in range(2, 10):
            disk.put(blob(number), 10, 0, noise(number, 10))
        assert len(caplog.records) == 1
        assert disk.get(blob(1), 10, 0, 10, lambda _: True) is None
        monkeypatch.undo()
        monkeypatch.setattr(disk, "_off_until", 0.0)
        disk.put(blob(2), 10, 0, noise(2, 10))
        assert disk.get(blob(2), 10, 0, 10, lambda _: True) == noise(2, 10)
