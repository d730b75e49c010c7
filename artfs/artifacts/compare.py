"""Comparing the files of a version with their digests, where they lie."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from artfs.content.digest import BLOCK_SIZE, FileDigest, format_digest, hash_bytes, hash_file
from artfs.content.long_paths import reachable

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.workspace.workspace import Workspace

_WORTH_A_THREAD = 2 * BLOCK_SIZE
"""Below so many bytes, threads cost more than they bring."""
_MOST_THREADS = 8
_SPAN_BLOCKS = 4


@dataclass(frozen=True, slots=True, eq=False)
class StoredFile:
    """A file of a version, and where its bytes should be.

    Args:
        blob_id: row of its content.
        digest: of the content; None where it is not known, and the place's size and time are all there is.
        places: with the full path or URI of each, best first.
    """

    path: bytes
    blob_id: int
    digest: FileDigest | None
    places: Sequence[tuple[BlobPlace, str]]


@dataclass(frozen=True, slots=True)
class Compare:
    """Compares files with their digests; large ones once, as long as nobody can have written to them.

    The owner of data in place can, through a mapping, and no time tells of it. Unless it is `only_looked_up` it is
    compared each time.
    """

    workspace: Workspace
    only_looked_up: bool

    def failures(self, files: Sequence[StoredFile], where: Callable[[StoredFile], str]) -> dict[bytes, str]:
        """Why files are not what they should be, by path in the version."""
        checked = self.workspace.checked
        small = [file for file in files if file.digest is None or file.digest.blocks is None]
        stamps = {file: self._stamp(file, where) for file in files if file.digest is not None and file.digest.blocks}
        large = [
            file for file, stamp in stamps.items() if file.digest and not checked.still_has(file.digest.digest, stamp)
        ]
        failures = _compared(small, large, where)
        for file in large:
            if file.path not in failures and file.digest and (stamp := stamps[file]) is not None:
                checked.remember(file.digest.digest, stamp)
        return failures

    def _stamp(self, file: StoredFile, where: Callable[[StoredFile], str]) -> tuple[int, ...] | None:
        if not self.only_looked_up and not all(place.owned for place, _ in file.places):
            return None
        return self.workspace.checked.stamp(where(file))


def _compared(
    small: Sequence[StoredFile], large: Sequence[StoredFile], where: Callable[[StoredFile], str]
) -> dict[bytes, str]:
    """Why files are not what they should be; large ones are compared block by block."""
    files = [*small, *large]
    total = sum(file.digest.size for file in files if file.digest is not None)
    work: list[tuple[StoredFile, int | None]] = [(file, None) for file in small]
    work += [(file, first) for file in large if file.digest is not None for first in _spans(file.digest.size)]

    buffer = _Buffer()

    def check(item: tuple[StoredFile, int | None]) -> tuple[bytes, str | None]:
        file, first = item
        if first is None:
            return file.path, _why_not(file, where(file))
        return file.path, _why_not_span(file, where(file), first, buffer.block)

    if total < _WORTH_A_THREAD:
        return {path: why for path, why in map(check, work) if why is not None}
    with ThreadPoolExecutor(min(_MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        return {path: why for path, why in pool.map(check, work) if why is not None}


def _spans(size: int) -> range:
    """Numbers of the first blocks of pieces of a large file that are checked one beside the other."""
    return range(0, (size + BLOCK_SIZE - 1) // BLOCK_SIZE, _SPAN_BLOCKS)


class _Buffer(threading.local):
    """Room for one block in each thread: the system takes a while to give a new one."""

    @cached_property
    def block(self) -> memoryview:
        return memoryview(bytearray(BLOCK_SIZE))


def _why_not_span(file: StoredFile, path: str, first: int, buffer: memoryview) -> str | None:
    """Why some blocks of a large file are not right; None if they are. They are read into `buffer`."""
    assert file.digest is not None
    size = file.digest.size
    try:
        with reachable(path) as at:
            descriptor = os.open(at, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return error.strerror or str(error)
    try:
        actual = os.fstat(descriptor).st_size
        if actual != size:
            return f"it has {actual} bytes instead of {size}"
        for index in range(first, min(first + _SPAN_BLOCKS, (size + BLOCK_SIZE - 1) // BLOCK_SIZE)):
            count = os.preadv(descriptor, [buffer], index * BLOCK_SIZE)
            if hash_bytes(buffer[:count]) != file.digest.block(index):
                return f"its bytes from {index * BLOCK_SIZE} on are not what was stored"
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(descriptor)
    return None


def _why_not(file: StoredFile, path: str) -> str | None:
    """Why a file is not right; None if it is."""
    try:
        with reachable(path) as at:
            if file.digest is None:
                place, mtime_ns = file.places[0][0], os.stat(at).st_mtime_ns
                return None if place.mtime_ns in (None, mtime_ns) else "it was modified since it was registered"
            found = hash_file(at)
    except OSError as error:
        return error.strerror or str(error)
    if found.size != file.digest.size:
        return f"it has {found.size} bytes instead of {file.digest.size}"
    if found.digest != file.digest.digest:
        return f"it is {format_digest(found.digest)} instead of {format_digest(file.digest.digest)}"
    return None
