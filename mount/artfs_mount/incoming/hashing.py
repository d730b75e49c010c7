"""Digests of files that are being written, made beside the writing: whoever writes waits for no hashing.

A file's pieces queue up in the order in which they were written, and a thread takes them from there. Small pieces wait
until enough of them have gathered to be worth a thread's while.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Executor

from artfs.content.digest import FileDigest
from artfs.content.stream import SequentialHasher

log = logging.getLogger(__name__)

BATCH_BYTES = 64 * 1024
"""Fewer bytes are not handed to a thread."""
QUEUE_BYTES = 4 * 2**20
"""So much may wait for a file; whoever writes more than that lends a hand. It takes about 2 ms to hash."""


class BackgroundHasher:
    """A SequentialHasher that is fed by the threads of `threads`. The caller serialises all calls for one file."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._stream = SequentialHasher()
        self._queue: deque[tuple[int, bytes]] = deque()
        self._hashing = threading.Lock()
        # Each of the two is changed by one thread at a time, so their difference needs no lock.
        self._queued = 0
        self._hashed = 0
        self._called = False

    def write(self, offset: int, data: bytes) -> None:
        """Takes a write of the file."""
        if self._stream.broken:
            return
        self._queue.append((offset, data))
        self._queued += len(data)
        waiting = self._queued - self._hashed
        if waiting > QUEUE_BYTES:
            self._catch_up()
        elif waiting >= BATCH_BYTES and not self._called:
            self._called = True
            try:
                self._threads.submit(self._catch_up)
            except RuntimeError:  # no thread can be started just now
                self._catch_up()

    @property
    def in_order(self) -> bool:
        """Whether all that was hashed so far came from front to back."""
        return not self._stream.broken

    def truncate(self, size: int) -> None:
        """Takes a change of the file's size."""
        self._catch_up()
        self._stream.truncate(size)

    def result(self, size: int) -> FileDigest | None:
        """The digests of the file, if all of its `size` bytes were written in order, else None."""
        self._catch_up()
        return self._stream.result(size)

    def _catch_up(self) -> None:
        """Hashes all that waits. Whoever comes while another thread does finds nothing left to do."""
        with self._hashing:
            self._called = False  # before the last look at the queue: what comes after it calls again
            while self._queue:
                offset, data = self._queue.popleft()
                try:
                    self._stream.write(offset, data)
                except BaseException:
                    # Half a piece may be hashed. Nobody who writes needs the digest: the file can be read for it.
                    log.exception("hashing beside the writing failed; the file will be read again")
                    self._stream.give_up()
                self._hashed += len(data)
