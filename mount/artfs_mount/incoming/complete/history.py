"""The history of a draft: what its events leave to know.

Each path has one record of facts, which an event changes and makes no longer. Of a draft with very many files those
are kept that changed last; others are folded into the directory that they are in, which goes on telling when anything
below it changed, and whether a write failed or a writer was killed there.
"""

from __future__ import annotations

import heapq
import math
from typing import assert_never

from artfs_mount.incoming.complete.events import (
    Arrived,
    Changed,
    Closed,
    Event,
    Failed,
    Left,
    Linked,
    Made,
    Opened,
    Removed,
    Stamp,
    Truncated,
    Written,
)
from artfs_mount.incoming.complete.facts import Carried, HandleFacts, PathFacts
from artfs_mount.incoming.complete.markers import is_marker
from artfs_mount.incoming.complete.process import How, Process

PATHS_KEPT = 1024
FOLDED_AT_ONCE = 256


class DraftHistory:
    """What happened to one draft since it was last a version, and who has it open.

    changed_at: when anything last changed. writers: who changed it.
    """

    __slots__ = ("changed_at", "handles", "paths", "writers")

    def __init__(self, at: float = -math.inf) -> None:
        self.changed_at = at
        self.paths: dict[bytes, PathFacts] = {}
        self.handles: dict[int, HandleFacts] = {}
        self.writers: set[Process] = set()

    @property
    def open_writers(self) -> int:
        """How many handles that may write are open."""
        return sum(handle.writes for handle in self.handles.values())

    def add(self, event: Event) -> None:
        """Takes note of an event."""
        match event:
            case Written():
                self._changed(event).in_order &= event.in_order
            case Opened():
                self._opened(event)
            case Closed():
                self._closed(event)
            case Made() | Linked():
                self._changed(event).made_at = event.stamp.at
            case Removed():
                self._removed(event)
            case Arrived():
                self._arrived(event)
            case Truncated():
                self._truncated(event)
            case Failed():
                self._changed(event).failed = event.error
            case Left():
                self._note(_parent(event.path), event.stamp)
            case Changed():
                self._changed(event)
            case _:
                assert_never(event)

    def take(self, path: bytes, *, directory: bool) -> Carried:
        """Forgets a path, and all below a directory, and returns what was known: it is about to be somewhere else."""
        paths = {_below(path, known): self.paths.pop(known) for known in self._at(path, directory=directory)}
        return Carried(paths, self._take_handles(path))

    def forget_handle(self, number: int) -> None:
        """Takes note that a file is closed whose path is not known any more."""
        self.handles.pop(number, None)

    def begin_anew(self) -> None:
        """Takes note that the draft is a version as it stands."""
        self.paths.clear()
        self.writers.clear()

    def _opened(self, event: Opened) -> None:
        if event.writes:
            facts = self._changed(event)
            if not any(handle.writes and handle.path == event.path for handle in self.handles.values()):
                facts.failed = facts.killed = None
        self.handles[event.handle] = HandleFacts(
            event.path, event.stamp.at, event.stamp.by, event.writes, event.appends
        )

    def _closed(self, event: Closed) -> None:
        handle = self.handles.pop(event.handle, None)
        if handle is None or not handle.writes:
            return
        facts = self._changed(event)
        facts.closed_at = event.stamp.at
        facts.in_order &= event.in_order
        if event.ending.how is How.KILLED:
            facts.killed = event.ending

    def _removed(self, event: Removed) -> None:
        self.paths.pop(event.path, None)  # of a directory nothing is left that could have facts
        handles = self._take_handles(event.path)
        if not event.last:
            path = event.path if event.also is None else event.also
            self.handles.update((number, handle._replace(path=path)) for number, handle in handles.items())
        self._note(_parent(event.path), event.stamp)

    def _arrived(self, event: Arrived) -> None:
        for below, facts in event.carried.paths.items():
            self.paths[_joined(event.path, below)] = facts
        for number, handle in event.carried.handles.items():
            self.handles[number] = handle._replace(path=_joined(event.path, handle.path))
        facts = self._changed(event)
        facts.arrived_at, facts.origin = event.stamp.at, event.origin
        if len(self.paths) > PATHS_KEPT:
            self._fold()

    def _truncated(self, event: Truncated) -> None:
        facts = self._changed(event)
        facts.in_order = event.size == 0
        if event.size == 0:
            facts.failed = facts.killed = None

    def _changed(self, event: Event) -> PathFacts:
        return self._note(event.path, event.stamp)

    def _note(self, path: bytes, stamp: Stamp) -> PathFacts:
        self.changed_at = max(self.changed_at, stamp.at)
        if stamp.by is not None:
            self.writers.add(stamp.by)
        facts = self.paths.get(path)
        if facts is None:
            if len(self.paths) >= PATHS_KEPT:
                self._fold()
            facts = self.paths[path] = PathFacts()
        facts.changed_at, facts.by = stamp.at, stamp.by
        return facts

    def _fold(self) -> None:
        """Makes room: what changed longest ago goes first, then folders that tell of others, then what decides most."""
        opened = {handle.path for handle in self.handles.values()}

        def order(path: bytes) -> tuple[bool, bool, float]:
            facts = self.paths[path]
            return is_marker(path) or path in opened, facts.folded > 0, facts.changed_at

        while (excess := len(self.paths) - (PATHS_KEPT - FOLDED_AT_ONCE)) > 0:
            for path in heapq.nsmallest(excess, filter(None, self.paths), key=order):
                facts = self.paths.pop(path)
                self.paths.setdefault(_parent(path), PathFacts()).fold(facts)

    def _at(self, path: bytes, *, directory: bool) -> list[bytes]:
        if directory:
            return [known for known in self.paths if _is_within(path, known)]
        return [path] if path in self.paths else []

    def _take_handles(self, path: bytes) -> dict[int, HandleFacts]:
        """Those below a path, with the path from there."""
        taken = {number: handle for number, handle in self.handles.items() if _is_within(path, handle.path)}
        for number in taken:
            del self.handles[number]
        return {number: handle._replace(path=_below(path, handle.path)) for number, handle in taken.items()}


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _is_within(path: bytes, other: bytes) -> bool:
    return not path or other == path or other.startswith(path + b"/")


def _below(path: bytes, other: bytes) -> bytes:
    return other[len(path) + 1 :] if path else other


def _joined(path: bytes, below: bytes) -> bytes:
    return b"/".join(filter(None, (path, below)))
