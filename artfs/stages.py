"""Named stages of what artfs does, where tests stop, fail or kill it. Nobody listens otherwise, and nothing happens.

    planned     it is known what a version to be has to bring
    claimed     its folder is this process's
    placed      one of its files is there; once for each
    brought     its bytes are in the store, durable unless they are small
    recorded    its rows are written, and not yet committed
    committed   its rows are committed: it exists
    described   its manifest is in the store, durable
    synced      small contents and late manifests are durable, and the catalog still keeps their bytes
    purged      rows are tombstones, and all bytes are still there
    buried      manifests were replaced by tombstones
    swept       bytes are removed, and the catalog still knows of it
    orphaned    a folder is found whose version never came to be, and is about to be removed

A new stage is said where it is reached, with `stages.reached`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal[
    "planned",
    "claimed",
    "placed",
    "brought",
    "recorded",
    "committed",
    "described",
    "synced",
    "purged",
    "buried",
    "swept",
    "orphaned",
]


class Stages:
    """Who is told of stages in this process. There is one, `stages`."""

    __slots__ = ("_listener",)

    def __init__(self) -> None:
        self._listener: Callable[[Stage], None] | None = None

    def reached(self, stage: Stage) -> None:
        """Say that a stage was reached; what the listener raises is raised here."""
        if self._listener is not None:
            self._listener(stage)

    def listen(self, listener: Callable[[Stage], None] | None) -> None:
        """Tell `listener` of each stage from now on; None tells nobody."""
        self._listener = listener

    @contextmanager
    def heard(self, listener: Callable[[Stage], None]) -> Iterator[None]:
        """Tell `listener` of each stage while the block lasts."""
        before, self._listener = self._listener, listener
        try:
            yield
        finally:
            self._listener = before


stages = Stages()
