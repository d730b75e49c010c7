"""The timed operations, each run as a process of its own: `python probes.py PROBE PATH [ARGUMENT...]`.

A process of its own can be given up when a mount hangs, and starts with the same empty state for every peer.
It prints its one figure. Only the standard library is imported, so that it starts fast.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

MEBIBYTE = 1 << 20
SMALL_FILE_BYTES = 4 << 10
RANDOM_READ_BYTES = 64 << 10


def sequential_read(path: str) -> float:
    """Read one file from start to end in 1 MiB reads; MiB/s."""
    buffer = bytearray(MEBIBYTE)
    total = 0
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total / MEBIBYTE / (time.perf_counter() - start)


def small_reads(directory: str, count: str) -> float:
    """Open, read and close the files 0 to `count`-1 of a directory, without listing it first; files/s."""
    start = time.perf_counter()
    for number in range(int(count)):
        with open(f"{directory}/{number:06d}", "rb") as file:
            if len(file.read()) != SMALL_FILE_BYTES:
                raise OSError(f"{file.name} was read short")
    return int(count) / (time.perf_counter() - start)


def scan(directory: str, count: str) -> float:
    """List a directory and stat every entry; seconds."""
    start = time.perf_counter()
    with os.scandir(directory) as entries:
        sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
    seconds = time.perf_counter() - start
    if len(sizes) != int(count) or set(sizes) != {SMALL_FILE_BYTES}:
        raise OSError(f"{directory} lists {len(sizes)} files, expected {count} of {SMALL_FILE_BYTES} bytes")
    return seconds


def random_reads(path: str, count: str) -> float:
    """Read `count` different 64 KiB blocks of one file in a random order, the same every time; reads/s."""
    blocks = os.path.getsize(path) // RANDOM_READ_BYTES
    chosen = random.Random(0).sample(range(blocks), int(count))
    descriptor = os.open(path, os.O_RDONLY)
    start = time.perf_counter()
    for block in chosen:
        if len(os.pread(descriptor, RANDOM_READ_BYTES, block * RANDOM_READ_BYTES)) != RANDOM_READ_BYTES:
            raise OSError(f"{path} was read short")
    seconds = time.perf_counter() - start
    os.close(descriptor)
    return int(count) / seconds


def copy(source: str, target: str) -> float:
    """Copy one file with `cp`; MiB/s."""
    return _timed_copy(["cp", source, target], source, target)


def copy_with_fsync(source: str, target: str) -> float:
    """Copy one file with `dd conv=fsync`, so until it is on stable storage; MiB/s."""
    argv = ["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fsync", "status=none"]
    return _timed_copy(argv, source, target)


def small_writes(directory: str, count: str) -> float:
    """Make a directory and write `count` different files of 4 KiB into it; files/s."""
    content = bytearray(os.urandom(SMALL_FILE_BYTES))
    start = time.perf_counter()
    os.mkdir(directory)
    for number in range(int(count)):
        content[:8] = number.to_bytes(8, "big")
        with open(f"{directory}/{number:06d}", "wb") as file:
            file.write(content)
    return int(count) / (time.perf_counter() - start)


def _timed_copy(argv: list[str], source: str, target: str) -> float:
    start = time.perf_counter()
    subprocess.run(argv, check=True)
    seconds = time.perf_counter() - start
    if os.path.getsize(target) != os.path.getsize(source):
        raise OSError(f"{target} does not have the size of {source}")
    return os.path.getsize(source) / MEBIBYTE / seconds


PROBES: dict[str, Callable[..., float]] = {
    probe.__name__: probe
    for probe in (sequential_read, small_reads, scan, random_reads, copy, copy_with_fsync, small_writes)
}

if __name__ == "__main__":
    print(PROBES[sys.argv[1]](*sys.argv[2:]))
