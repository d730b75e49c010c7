"""What may take long, and who must not wait for it.

The event loop answers what memory holds and what is a point read of a catalog on this machine. Whatever may take
longer says so first, by `Blocking.check`: on the loop's thread that raises `WouldBlock`, and the adapter asks the same
question again on a worker thread, where the check does nothing. So a question changes nothing and may be asked twice,
and each place that is slow is marked there and nowhere else, however it was reached: by a name or by an inode number.
"""

from __future__ import annotations

import threading
from enum import StrEnum


class Slow(StrEnum):
    """Why a question may take long: each kind has worker threads of its own."""

    QUERY = "query"
    """It reads many rows, or a catalog on another machine, or a disk."""
    MAKING = "making"
    """It makes a text of every file of a version, or draws a picture: seconds of computing."""


class WouldBlock(Exception):
    """The event loop was asked what may take long. slow: why."""

    def __init__(self, slow: Slow) -> None:
        super().__init__(f"this may take long ({slow}): ask it on a worker thread")
        self.slow = slow


class Blocking:
    """Knows the thread that must not wait.

    Args:
        loop_thread: The event loop's, as `threading.get_ident()` tells it; None where there is no loop.
    """

    def __init__(self, loop_thread: int | None = None) -> None:
        self._loop_thread = loop_thread

    @property
    def is_forbidden(self) -> bool:
        """Whether this is the thread that must not wait."""
        return threading.get_ident() == self._loop_thread

    @property
    def has_loop(self) -> bool:
        """Whether there is a thread that must not wait."""
        return self._loop_thread is not None

    def check(self, slow: Slow = Slow.QUERY) -> None:
        """Say that what comes may take long. Raises WouldBlock on the event loop."""
        if self.is_forbidden:
            raise WouldBlock(slow)
