"""Processes that are forked here, and such as end at one of their function calls as by a kill from outside."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def forked(work: Callable[[], object]) -> int:
    """Begin work in a process of its own, which has what this one imported; return its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - whatever it is, the copy of the caller must not go on
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def was_killed(child: int) -> bool:
    """Wait for the end of what `forked` began: it ended well or was killed, and never failed."""
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, f"a process failed with status {status}: its traceback is above"
    return killed


@contextmanager
def calls_counted(deadly: int | None) -> Iterator[Callable[[], int]]:
    """Gives what tells how many calls and returns of functions the block had; the one numbered `deadly` kills."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1

    sys.setprofile(count)
    try:
        yield lambda: calls
    finally:
        sys.setprofile(None)
