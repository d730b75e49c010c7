"""Kernel settings of a mount: how far it reads ahead, how much may be under way."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

READ_AHEAD_KIB = 4096
"""Measured: 327 MiB/s with the default of 128, 1,121 MiB/s with 4096, on one file read from front to back."""
MAX_BACKGROUND = 1024
CONGESTION_THRESHOLD = 768
"""Requests that the kernel keeps under way, and from which on it holds back. Latency is hidden by having many, and all
reads of all files share them: with the kernel's 12, a dozen reads of a store that stalls keep every other from being
asked at all."""
CONNECTIONS = Path("/sys/fs/fuse/connections")

MAX_RATIO = 40
"""Percent of the memory for unwritten pages that the mount may use. The kernel's 1 for FUSE, with its strict limit,
halves the speed of the first gigabyte that is written after mounting."""


def _kernel() -> tuple[int, int]:
    """Its first two numbers."""
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)


DIRECT_WRITES = _kernel() >= (6, 6)
"""Whether the kernel drops what it has cached of a file where a handle writes past its cache; older ones do not."""


SWITCH_SECONDS = 0.002
"""The interpreter's own 5 ms are waited for at each system call of a request: 25 ms and more while one text is made."""

HEAP_PIECE_BYTES = 32 * 2**20
HEAP_FREE_BYTES = 64 * 2**20
"""Up to this size memory comes from the heap (32 MiB is the most that malloc takes), and so much stays there free."""


def tune(device: str) -> list[str]:
    """Sets what can be set for the mount with this `major:minor`, and returns what was set.

    Whoever mounted may set how much is under way, root also the rest; a container may forbid some of it even then,
    which leaves the mount slower but whole.
    """
    minor = device.partition(":")[2]
    under_way = [
        (CONNECTIONS / minor / "max_background", MAX_BACKGROUND),
        (CONNECTIONS / minor / "congestion_threshold", CONGESTION_THRESHOLD),
    ]
    if os.geteuid() != 0:
        return _write(under_way)
    others = [
        (Path(f"/sys/class/bdi/{device}/read_ahead_kb"), READ_AHEAD_KIB),
        (Path(f"/sys/class/bdi/{device}/max_ratio"), MAX_RATIO),
        (Path(f"/sys/class/bdi/{device}/strict_limit"), 0),
    ]
    return _write(others) + (_write(under_way) if CONNECTIONS.joinpath(minor).exists() else _write_unseen(under_way))


def keep_memory_together() -> None:
    """One heap for all threads: with one each, what a burst of writes needed stays with every thread that wrote.

    The heap keeps the memory of one request for the next one: to get each megabyte from the system, page by page, takes
    as long as to write it. `give_memory_back` returns it afterwards.
    """
    m_trim_threshold, m_mmap_threshold, m_arena_max = -1, -3, -8
    libc = ctypes.CDLL(None)
    libc.mallopt(m_arena_max, 1)
    libc.mallopt(m_mmap_threshold, HEAP_PIECE_BYTES)
    libc.mallopt(m_trim_threshold, HEAP_FREE_BYTES)


def keep_loop_quick() -> None:
    """Lets no thread that computes keep the interpreter from the event loop for longer than it takes to answer."""
    sys.setswitchinterval(SWITCH_SECONDS)


def give_memory_back() -> None:
    """Returns to the system what a burst of work has left free in the heap."""
    ctypes.CDLL(None).malloc_trim(0)


def _write(wanted: Sequence[tuple[Path, int]]) -> list[str]:
    done = []
    for path, value in wanted:
        try:
            path.write_text(f"{value}\n")
        except OSError as error:
            log.info("%s stays as it is: %s", path, error.strerror)
        else:
            done.append(f"{path.name}={value}")
    return done


def _write_unseen(wanted: Sequence[tuple[Path, int]]) -> list[str]:
    """Writes where the file system of connections is not mounted: it is for the moment, for one process alone."""
    script = f"mount -t fusectl fusectl {CONNECTIONS}" + "".join(f"; echo {value} > {path}" for path, value in wanted)
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-ec", script], capture_output=True, text=True)
    except OSError as error:
        log.info("%s cannot be reached: %s", CONNECTIONS, error.strerror)
        return []
    if done.returncode != 0:
        log.info("%s cannot be reached: %s", CONNECTIONS, done.stderr.strip())
        return []
    return [f"{path.name}={value}" for path, value in wanted]
