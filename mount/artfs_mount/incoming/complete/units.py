"""What is known of each unit of a draft, found in one pass over its paths.

A draft is looked at up to ten times a second, and may have hundreds of units and a thousand paths.

A unit is a *whole*, which is taken or left out with all that is in it, or a collection, which has a marker and in which
checkpoints of their own are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from artfs_mount.incoming.complete.facts import PathFacts, UnitFacts
from artfs_mount.incoming.complete.history import DraftHistory, is_stream_so_far
from artfs_mount.incoming.complete.names import is_one_of_many
from artfs_mount.incoming.complete.paths import is_at, name_of, parent
from artfs_mount.incoming.complete.process import Process


@dataclass(slots=True)
class Unit:
    """A unit. changed_at: when anything in it last changed, but for streams, and for names that only went.

    changed_by: who did that. removed_at: when a name in it last went. hindered: whether something in it keeps it out of
    a version.
    """

    path: bytes
    facts: UnitFacts
    changed_at: float = -math.inf
    changed_by: Process | None = None
    removed_at: float = -math.inf
    hindered: bool = False

    def is_being_removed(self, now: float, seconds: float) -> bool:
        """Whether a name in it went so lately, and nothing has said since that it is complete."""
        return bool(self.path) and self.facts.at < self.removed_at and now - self.removed_at < seconds


class Units:
    """The units of a draft, and the newest one of each series, which nothing says to be complete yet."""

    def __init__(self, history: DraftHistory) -> None:
        self._units = {path: Unit(path, facts) for path, facts in history.units.items()}
        for path in history.newest.values():
            self._units.setdefault(path, Unit(path, UnitFacts()))
        self._holding = {above for path in self._units for above in _above(path)}
        self.has_inner = any(self._units)
        for path, facts in history.paths.items():
            self._add(path, facts)

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._units.values())

    def get(self, path: bytes) -> Unit | None:
        return self._units.get(path)

    def around(self, path: bytes) -> Unit | None:
        """The innermost unit that a path is in."""
        return next(self._around(path), None)

    def holds(self, path: bytes) -> bool:
        """Whether units are below a path."""
        return path in self._holding

    def is_whole(self, path: bytes) -> bool:
        """Whether a unit is taken or left out with all that is in it."""
        return bool(path) and path in self._units and (path not in self._holding or is_one_of_many(name_of(path)))

    def hinder(self, path: bytes) -> None:
        """Says that something at a path keeps whatever it is in out of a version."""
        for unit in self._around(path):
            unit.hindered = True

    def scope(self, path: bytes) -> bytes:
        """What is left out because of a path: the whole that it is in, else as much around it as holds no unit."""
        way = [*reversed(_above(path)), path]
        whole = next((above for above in way if self.is_whole(above)), None)
        if whole is not None:
            return whole
        return next((above for above in way if above and above not in self._holding), path)

    def _add(self, path: bytes, facts: PathFacts) -> None:
        if facts.removed_at is not None:
            for unit in self._around(path):
                unit.removed_at = max(unit.removed_at, facts.removed_at)
                if is_one_of_many(name_of(unit.path)):
                    break  # its framework rotates it: of the collection that it is in, nothing is missing
        elif not is_stream_so_far(path, facts):
            for unit in self._around(path):
                if facts.changed_at >= unit.changed_at:
                    unit.changed_at, unit.changed_by = facts.changed_at, facts.by

    def _around(self, path: bytes) -> Iterator[Unit]:
        while True:
            if (unit := self._units.get(path)) is not None:
                yield unit
            if not path:
                return
            path = path.rpartition(b"/")[0]  # asked of each path each time: a call less


def may_lose(history: DraftHistory, path: bytes) -> bool:
    """Whether a path is in a unit that has a sign, is not kept since, and has lost nothing beside it."""
    beside = history.paths.get(parent(path))
    lost_at = -math.inf if beside is None or beside.removed_at is None else beside.removed_at
    return any(
        known.sign is not None
        and (unit not in history.pinned or history.pinned[unit].at < known.at)
        and (unit == path or lost_at <= known.at)
        for unit, known in history.units.items()
        if is_at(path, unit)
    )


def _above(path: bytes) -> list[bytes]:
    """The directories that a path is in, from the innermost to the draft itself."""
    found = []
    while path:
        path = parent(path)
        found.append(path)
    return found
