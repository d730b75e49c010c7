"""Requests of one store, on threads of their own.

So many run at once. Whoever has waited for one to its deadline goes his way, and the thread is left to itself: its slot
is free for the next, and what it brings back in the end is dropped. As a store may never answer, there is a bound to
the threads that are left so; beyond it requests are refused at once, until some of them have come back.

The threads are daemons that nothing waits for: a process ends although some of them hang. A forked child begins with
none.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

IDLE_SECONDS = 10.0
"""A thread that was asked nothing for so long ends."""


class Stalled(TimeoutError):
    """A request that was given up; the message says how that came."""


class Deadline:
    """The moment after which nobody waits for a request any more; it moves on with every bit of progress.

    Args:
        seconds: how long nothing may happen.
        now: the clock.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._now = now
        self._end = now() + seconds

    def moved(self, taken: int) -> None:
        """Begin to count anew, as something was done."""
        if taken > 0:
            self._end = self._now() + self.seconds

    def left(self) -> float:
        """Return the seconds that are left; none are less than nothing."""
        return max(0.0, self._end - self._now())


class Requests:
    """Runs the requests of one store. Safe to use from many threads.

    Args:
        at_once: how many run at once.
        most_left: how many threads may be left to themselves.
    """

    def __init__(self, at_once: int, most_left: int) -> None:
        self._at_once = at_once
        self._most_left = most_left
        self._workers = _Workers(at_once)

    @property
    def left(self) -> int:
        """How many threads are left to themselves now."""
        return self._here().left

    def call(self, function: Callable[[], T], deadline: Deadline, drop: Callable[[T], None] = lambda late: None) -> T:
        """Return what a request answers.

        Args:
            function: the request.
            deadline: until when it is waited for, and for a free slot before.
            drop: what is done with an answer that comes too late.

        Raises:
            Stalled: it was given up.
        """
        workers = self._here()
        if workers.left >= self._most_left:
            raise Stalled(f"{workers.left} requests to it have not come back")
        if not workers.slots.acquire(timeout=deadline.left()):
            raise Stalled(f"{self._at_once} other requests were under way for {deadline.seconds:g} s")
        request = _Request(function, drop, workers)
        try:
            workers.run(request)
        except BaseException:
            workers.slots.release()
            raise
        try:
            request.wait(deadline)
        except BaseException:
            if request.leave():
                request.nobody_waits()
            raise
        if not request.leave():
            raise Stalled(f"no answer within {deadline.seconds:g} s")
        return request.answer()

    def later(self, function: Callable[[], None]) -> None:
        """Let something be done that nobody waits for and that may hang, such as closing what a request has opened.

        Where too many threads are left to themselves it is not done at all: the process's end does it.
        """
        workers = self._here()
        if workers.left < self._most_left:
            request = _Request(function, lambda done: None, workers, has_slot=False)
            workers.run(request)
            request.leave()

    def _here(self) -> _Workers:
        """The threads of this process."""
        if self._workers.process != os.getpid():
            # Nobody else is there yet in a forked child, and a lock may have been held by somebody who is not here.
            self._workers = _Workers(self._at_once)
        return self._workers


class _Workers:
    """The threads of one process.

    slots: are taken by requests that somebody waits for.
    left: how many requests nobody waits for.
    """

    def __init__(self, at_once: int) -> None:
        self.process = os.getpid()
        self.slots = threading.Semaphore(at_once)
        self.left = 0
        self.lock = threading.Lock()
        self._idle = 0
        self._queue: queue.SimpleQueue[_Request[Any]] = queue.SimpleQueue()

    def run(self, request: _Request[Any]) -> None:
        """Let an idle thread, or a new one, run a request."""
        with self.lock:
            is_one_idle = self._idle > 0
            self._idle -= is_one_idle
        if not is_one_idle:
            threading.Thread(target=self._work, name="artfs store request", daemon=True).start()
        self._queue.put(request)

    def _work(self) -> None:
        request: _Request[Any] | None = self._queue.get()
        while request is not None:
            request.run()
            request = None  # what it has read must not be kept while nothing is asked
            with self.lock:
                self._idle += 1
            request = self._next()

    def _next(self) -> _Request[Any] | None:
        try:
            return self._queue.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            with self.lock:
                if self._idle > 0:
                    self._idle -= 1
                    return None
        # Whoever took this thread for idle has put a request there, or is about to.
        return self._queue.get()


class _Request(Generic[T]):
    """A request, and who waits for it."""

    def __init__(
        self, function: Callable[[], T], drop: Callable[[T], None], workers: _Workers, *, has_slot: bool = True
    ) -> None:
        self._function = function
        self._drop = drop
        self._workers = workers
        self._has_slot = has_slot
        self._ended = threading.Event()
        self._is_left = False
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            self._error = error
        with self._workers.lock:
            self._ended.set()
            if self._has_slot and not self._is_left:
                self._workers.slots.release()
        if self._is_left:
            self.nobody_waits()
            with self._workers.lock:
                self._workers.left -= 1

    def wait(self, deadline: Deadline) -> None:
        """Return when it has ended, or its deadline has come."""
        while not self._ended.wait(deadline.left()) and deadline.left():
            pass

    def leave(self) -> bool:
        """Wait for it no more, and return whether it has ended; else its thread is left to itself, its slot free."""
        with self._workers.lock:
            if self._ended.is_set():
                return True
            self._is_left = True
            self._workers.left += 1
            if self._has_slot:
                self._workers.slots.release()
            return False

    def answer(self) -> T:
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            del self  # or the error and its traceback would keep each other

    def nobody_waits(self) -> None:
        """Drop what it has answered."""
        try:
            if self._error is not None:
                raise self._error
            self._drop(self._value)
        except Exception as error:  # noqa: BLE001 - a backend may raise anything, and the thread serves others
            logger.info("a request that nobody waited for any more failed: %s", error)
