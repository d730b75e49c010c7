"""Worker threads: where the daemon waits for disks, catalogs and stores, so that its event loop never does.

Each kind of wait has a number of places of its own, so none takes the threads of another: names and listings, texts
that are made, and the bytes of each store or file system. A call that misses its deadline is left to itself, and costs
those that come after it no place; so that even a store that never answers leaves the daemon with threads, there is an
end to how many are left so.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import trio

from artfs.errors import ArtfsError
from artfs_mount.tree.blocking import Slow, WouldBlock

log = logging.getLogger(__name__)

METADATA_SECONDS = 10.0
"""Whoever asks for names or attributes gets an answer, or ETIMEDOUT, within this time."""
READ_SECONDS = 60.0
"""A read of bytes that takes longer fails with ETIMEDOUT; stores have shorter deadlines of their own."""

BUSY_SWITCH_SECONDS = 0.0003
"""With the usual 2 ms (tuning.py) a listing takes up to 100 ms while a text is made; always so short, reads suffer."""

QUERIES_AT_ONCE = 8
MADE_AT_ONCE = 2
"""They compute, and share the interpreter with the event loop."""
READS_AT_ONCE = 40
"""Of one store, or of data in place on one file system."""
MOST_LEFT = 512
"""Threads that nobody waits for any more. Beyond it calls are refused until some of them come back."""

T = TypeVar("T")


class ThreadPlaces:
    """So many calls at once on worker threads.

    Args:
        at_once: How many.
    """

    def __init__(self, at_once: int) -> None:
        self._free = trio.Semaphore(at_once)
        self._threads = trio.CapacityLimiter(math.inf)
        self._left = 0
        self._lock = threading.Lock()

    async def call(self, function: Callable[..., T], *arguments: object, seconds: float | None) -> T:
        """What a call answers. After `seconds`, which count from now, the caller gets ETIMEDOUT."""
        with trio.move_on_after(seconds if seconds is not None else math.inf):
            async with self._free:
                if self._left >= MOST_LEFT:
                    raise OSError(errno.ETIMEDOUT, f"{self._left} earlier calls have not come back: is a disk away?")
                call = _Call(function, arguments)
                try:
                    return await trio.to_thread.run_sync(call.run, abandon_on_cancel=True, limiter=self._threads)
                finally:
                    call.leave(self._count)
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def _count(self, change: int) -> None:
        with self._lock:
            self._left += change


class Questions:
    """Asks the read-only tree, on the event loop where that is quick and on a worker thread where it is not.

    Args:
        look: Takes note of what was committed, before another thread is asked.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._places = {Slow.QUERY: ThreadPlaces(QUERIES_AT_ONCE), Slow.MAKING: ThreadPlaces(MADE_AT_ONCE)}
        self._turns = _Turns()

    async def ask(self, question: Callable[..., T], *arguments: object) -> T:
        """The answer to a question, which changes nothing and may be asked twice. Raises OSError (ETIMEDOUT)."""
        try:
            return question(*arguments)
        except WouldBlock as block:
            slow = block.slow
        self._look()
        return await self._places[slow].call(self._compute, question, *arguments, seconds=METADATA_SECONDS)

    def _compute(self, question: Callable[..., T], *arguments: object) -> T:
        with self._turns:
            return question(*arguments)


class _Turns:
    """Held by each thread that computes for a question: meanwhile the interpreter is handed on more often.

    A request has a dozen system calls, and after each the event loop waits until that thread hands it on again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        self._usual = sys.getswitchinterval()

    def __enter__(self) -> None:
        self._hold(1)

    def __exit__(self, *_: object) -> None:
        self._hold(-1)

    def _hold(self, change: int) -> None:
        with self._lock:
            self._held += change
            sys.setswitchinterval(min(BUSY_SWITCH_SECONDS, self._usual) if self._held else self._usual)


class Reads:
    """Places for reads of bytes: what stalls takes none of another store's, or of another file system's."""

    def __init__(self) -> None:
        self._places: dict[Hashable, ThreadPlaces] = {}

    def of(self, source: Hashable) -> ThreadPlaces:
        """The places for what comes from one source (`Where.source`)."""
        return self._places.setdefault(source, ThreadPlaces(READS_AT_ONCE))


async def in_thread(function: Callable[..., T], *arguments: object, seconds: float | None = READ_SECONDS) -> T:
    """Runs a call on a worker thread. After `seconds` the caller gets ETIMEDOUT and the thread is left to itself.

    So it is when the caller is cancelled: a thread that is stuck must not keep the daemon from ending.
    """
    call = _Call(function, arguments)
    with trio.move_on_after(seconds if seconds is not None else math.inf):
        try:
            return await trio.to_thread.run_sync(call.run, abandon_on_cancel=True)
        finally:
            call.leave()
    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


class _Call(Generic[T]):
    """A call on a worker thread. Nobody else hears of an error that comes when its caller has gone."""

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self._function = function
        self._arguments = arguments
        self._lock = threading.Lock()
        self._is_awaited = True
        self._has_ended = False
        self._count: Callable[[int], None] = lambda change: None

    def run(self) -> T:
        try:
            return self._function(*self._arguments)
        except (ArtfsError, OSError) as error:
            if not self._is_awaited:
                log.info("a call that nobody waited for any more failed: %s", error)
            raise
        except BaseException:
            if not self._is_awaited:
                log.exception("a call that nobody waited for any more failed")
            raise
        finally:
            with self._lock:
                self._has_ended = True
                if not self._is_awaited:
                    self._count(-1)

    def leave(self, count: Callable[[int], None] = lambda change: None) -> None:
        """Its caller goes. count: told of a thread that is left to itself, now and when it has come back."""
        with self._lock:
            self._is_awaited = False
            if not self._has_ended:
                self._count = count
                count(1)
