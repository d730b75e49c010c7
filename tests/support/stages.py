"""What tests do at a stage of what artfs does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import get_args

from artfs.stages import Stage, stages


def killed_at(stage: str, count: int = 1) -> None:
    """Let this process be killed when it reaches a stage for the `count`-th time."""
    stages.listen(at(stage, lambda: os.kill(os.getpid(), signal.SIGKILL), count))


@contextmanager
def fails_at(stage: str, error: BaseException, count: int = 1) -> Iterator[None]:
    """Raise an error when a stage is reached for the `count`-th time."""

    def fail() -> None:
        raise error

    with stages.heard(at(stage, fail, count)):
        yield


def at(wanted: str, act: Callable[[], object], count: int = 1) -> Callable[[Stage], None]:
    """A listener that acts when a stage is reached for the `count`-th time; 0 is each time."""
    assert wanted in get_args(Stage), f"nothing has the stage {wanted!r}"
    reached = 0

    def listen(stage: Stage) -> None:
        nonlocal reached
        if stage == wanted:
            reached += 1
            if count in (0, reached):
                act()

    return listen
