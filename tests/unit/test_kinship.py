"""Whose reads count, while processes go on opening pipes."""

from __future__ import annotations

import os
from contextlib import ExitStack

from artfs.linux.processes import start_time
from artfs_mount.incoming.complete.process import Process
from artfs_mount.incoming.kinship import Kinship


def test_pipes_that_a_process_opens_while_it_is_looked_at_are_no_error() -> None:
    """One that holds both ends of a pipe is looked at again, and may have more pipes by then."""
    started = start_time(os.getpid())
    assert started is not None
    me, kinship = Process(os.getpid(), started), Kinship()
    with ExitStack() as stack:
        for _ in range(4):
            for number in os.pipe():
                stack.callback(os.close, number)
            own = kinship.counted(me)
            assert kinship.reader(me) in own
