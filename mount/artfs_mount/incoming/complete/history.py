"""The history of a draft: what its events leave to know.

Each path has one record of facts, which an event changes and makes no longer; of very many some are folded
(folding.py).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Set
from typing import assert_never

from artfs_mount.incoming.complete.early import came_before, has_later_step
from artfs_mount.incoming.complete.events import (
    Arrived,
    Changed,
    Checked,
    Closed,
    Event,
    Failed,
    Left,
    Linked,
    Made,
    Opened,
    Pinned,
    Pointed,
    Removed,
    Stamp,
    Stamped,
    Truncated,
    Written,
)
from artfs_mount.incoming.complete.facts import Carried, HandleFacts, PathFacts, Pin, Sign, UnitFacts
from artfs_mount.incoming.complete.folding import PATHS_KEPT, make_room
from artfs_mount.incoming.complete.markers import MARKERS, POINTERS
from artfs_mount.incoming.complete.names import is_one_of_many, is_stream, is_temporary, numbered
from artfs_mount.incoming.complete.paths import below_of, is_at, is_at_any, joined, name_of, parent
from artfs_mount.incoming.complete.process import UNSEEN, Ending, How, Process

WRITERS_KEPT = 1024
"""Those that have ended are forgotten at so many; if most of them live, none is told from another."""
KILLED_KEPT = 256


class DraftHistory:
    """What happened to one draft since it was last a version, and who has it open.

    changed_at: when anything last changed. writers: who changed it. endings: how those of them ended that have. units:
    what completes by itself, by its path; those that a version has stay known, so that nobody takes one that is being
    deleted for a smaller one. newest: the one of each series that was begun last, by the directory and what their names
    have in common. pinned: units whose files are kept until a version has them. pointers: files that name units, yet to
    be read. taken_at: when anything last changed of what a version has, but for streams. marked: the series of which
    some had a marker. closed_by: who closed files here that he wrote. ended_at: when writers ended that have.
    """

    __slots__ = (
        "changed_at",
        "closed_by",
        "ended_at",
        "endings",
        "handles",
        "marked",
        "newest",
        "paths",
        "pinned",
        "pointers",
        "taken_at",
        "units",
        "writers",
    )

    def __init__(self, at: float = -math.inf) -> None:
        self.changed_at = at
        self.paths: dict[bytes, PathFacts] = {}
        self.handles: dict[int, HandleFacts] = {}
        self.writers: set[Process] = set()
        self.units: dict[bytes, UnitFacts] = {}
        self.newest: dict[tuple[bytes, bytes], bytes] = {}
        self.pinned: dict[bytes, Pin] = {}
        self.pointers: set[bytes] = set()
        self.marked: set[tuple[bytes, bytes]] = set()
        self.closed_by: set[Process] = set()
        self.ended_at: dict[Process, float] = {}
        self.endings: dict[Process, Ending] = {}
        self.taken_at = -math.inf

    @property
    def open_writers(self) -> int:
        """How many handles that may write are open."""
        return sum(handle.writes for handle in self.handles.values())

    def add(self, event: Event) -> None:
        """Takes note of an event."""
        match event:
            case Written():
                self._through(event, self.handles.get(event.handle)).in_order &= event.in_order
            case Opened():
                self._opened(event)
            case Closed():
                self._closed(event)
            case Made() | Linked():
                self._changed(event).made_at = event.stamp.at
                self._came(event.path)
            case Removed():
                self._removed(event)
            case Arrived():
                self._arrived(event)
            case Truncated():
                self._truncated(event)
            case Failed():
                self._changed(event).failed = event.error
            case Left():
                self._note(parent(event.path), event.stamp)
            case Changed():
                self._changed(event)
            case Checked():
                self._checked(event)
            case Pinned():
                self.pinned[event.path] = event.pin
            case Pointed():
                self._sign(joined(parent(event.path), event.target), Sign.MARKER, event.stamp)
            case _:
                assert_never(event)

    def take(self, path: bytes, *, directory: bool) -> Carried:
        """Forgets a path, and all below a directory, and returns what was known: it is about to be somewhere else."""
        paths = {below_of(path, known): self.paths.pop(known) for known in self._at(path, directory=directory)}
        units = {below_of(path, known): self.units.pop(known) for known in list(self.units) if is_at(known, path)}
        self._forget_unit(path)
        pinned = {below_of(path, known): self.pinned.pop(known) for known in list(self.pinned) if is_at(known, path)}
        return Carried(paths, self._take_handles(path), units, pinned)

    def forget_handle(self, number: int) -> None:
        """Takes note that a file is closed whose path is not known any more."""
        self.handles.pop(number, None)

    def begin_anew(
        self,
        leave_out: Collection[bytes] = (),
        since: float = math.inf,
        within: bytes = b"",
        pinned: Collection[bytes] = (),
    ) -> None:
        """Takes note that the draft is a version as it stood at `since`, but for what is at these paths and below.

        within: only what is there is a version. pinned: units that it has as they were pinned.
        """
        # A directory that lacks something goes on telling so while what lies in it is left out.
        lacking = {
            path
            for path, facts in self.paths.items()
            if facts.fault is not None and any(is_at(out, path) for out in leave_out) and self.is_checked(path, facts)
        }
        for path, facts in [each for each in self.paths.items() if each[1].changed_at <= since]:
            if is_at(path, within) and not is_at_any(path, leave_out) and path not in lacking:
                del self.paths[path]
                if not is_stream_so_far(path, facts):
                    self.taken_at = max(self.taken_at, facts.changed_at)
        for path, unit in self.units.items():
            if unit.at <= since and is_at(path, within) and (path in pinned or not is_at_any(path, leave_out)):
                unit.sign, unit.is_early = None, False
        if not self.paths:
            self.writers = {handle.by for handle in self.handles.values() if handle.writes and handle.by is not None}
            self.endings = {writer: ending for writer, ending in self.endings.items() if writer in self.writers}
            self.ended_at = {writer: at for writer, at in self.ended_at.items() if writer in self.writers}

    def is_checked(self, path: bytes, facts: PathFacts) -> bool:
        """Whether nothing at a path, or below it, has changed since it was looked at."""
        return not any(other.changed_at > facts.checked_at and is_at(at, path) for at, other in self.paths.items())

    def ended(self, process: Process, ending: Ending, at: float) -> None:
        """Takes note of how and when a process has ended, if it is a writer."""
        if process in self.writers:
            self.endings[process] = ending
            self.ended_at.setdefault(process, at)

    def take_writers(self, other: DraftHistory) -> None:
        """Takes note that whoever wrote another draft wrote this one."""
        self.writers |= other.writers
        self.endings |= other.endings
        self.ended_at |= other.ended_at

    def keep_writers(self, alive: Set[Process]) -> None:
        """Forgets writers that have ended, but for those that a signal killed last. Of very many none is told apart."""
        killed = [process for process, ending in self.endings.items() if ending.how is How.KILLED][-KILLED_KEPT:]
        self.endings = {process: self.endings[process] for process in killed}
        self.ended_at = {process: self.ended_at[process] for process in killed if process in self.ended_at}
        self.writers = {*killed, *(alive if len(alive) <= WRITERS_KEPT // 2 else {UNSEEN})}

    def take_pointers(self) -> list[bytes]:
        """The files that name complete units, and that nobody has read since they were closed."""
        found, self.pointers = list(self.pointers), set()
        return found

    def has_changed(self, since: float, leave_out: Collection[bytes], within: bytes = b"") -> bool:
        """Whether anything but what is at these paths, or is only appended to, has changed, or is being written."""
        return any(
            facts.changed_at > since
            and is_at(path, within)
            and not is_at_any(path, leave_out)
            and not is_stream_so_far(path, facts)
            for path, facts in self.paths.items()
        ) or bool(self.open_in(leave_out, within, streams=False))

    def open_in(self, leave_out: Collection[bytes], within: bytes = b"", *, streams: bool) -> list[bytes]:
        """The files that are open for writing: those that are only appended to, or all others."""
        return [
            handle.path
            for handle in self.handles.values()
            if handle.writes
            and is_at(handle.path, within)
            and not is_at_any(handle.path, leave_out)
            and self.is_open_stream(handle) is streams
        ]

    def is_open_stream(self, handle: HandleFacts) -> bool:
        """Whether the file that is open through a handle was only ever appended to since the draft was a version."""
        return is_stream_so_far(handle.path, self.paths.get(handle.path, PathFacts(appended=handle.appends)))

    def unit_of(self, path: bytes) -> bytes | None:
        """The innermost unit that a path is in; None if it is in none."""
        while True:
            if path in self.units:
                return path
            if not path:
                return None
            path = parent(path)

    def _unit_around(self, path: bytes) -> UnitFacts | None:
        place = self.unit_of(path)
        return None if place is None else self.units.get(place)

    def _opened(self, event: Opened) -> None:
        if event.writes:
            known = self.paths.get(event.path)
            others = [handle for handle in self.handles.values() if handle.writes and handle.path == event.path]
            is_first = (known is None or known.closed_at is None) and all(handle.appends for handle in others)
            if not event.appends:
                self._revoke_sign(event.path, known, event.stamp.by)
            facts = self._changed(event)
            facts.appended = event.appends and (facts.appended or is_first)
            if not others:
                facts.failed = facts.killed = None
        self.handles[event.handle] = HandleFacts(
            event.path, event.stamp.at, event.stamp.by, event.writes, event.appends
        )

    def _revoke_sign(self, path: bytes, known: PathFacts | None, by: Process | None) -> None:
        """Takes note that a file is written again: what said before that its unit is complete says so no more."""
        unit = self._unit_around(path)
        if unit is None or name_of(path) in MARKERS:
            return
        if known is None:  # a version has it
            self._withdraw_early(path)
            unit.is_stale |= unit.sign is None and not unit.is_early and unit.has_marker and by in self.closed_by
            return
        if unit.sign is not Sign.MARKER or known.closed_at is None or known.appended:
            return
        if known.closed_at <= unit.at:
            unit.sign, unit.is_stale = None, True

    def _closed(self, event: Closed) -> None:
        handle = self.handles.pop(event.handle, None)
        if handle is None or not handle.writes:
            return
        if event.stamp.by is not None and len(self.closed_by) < WRITERS_KEPT:
            self.closed_by.add(event.stamp.by)
        facts = self._through(event, handle)
        facts.closed_at = event.stamp.at
        facts.in_order &= event.in_order
        if event.ending.how is How.KILLED:
            facts.killed = event.ending
        self._marked(event.path, event.stamp)

    def _through(self, event: Written | Closed, handle: HandleFacts | None) -> PathFacts:
        """Takes note of a change through a handle that was opened before the draft was last a version."""
        is_known = event.path in self.paths
        facts = self._changed(event)
        if not is_known and handle is not None:
            facts.appended = handle.appends
        return facts

    def _checked(self, event: Checked) -> None:
        facts = self.paths.setdefault(event.path, PathFacts())
        facts.checked_at, facts.fault, facts.proven = event.stamp.at, event.fault, event.proven
        facts.hint = event.hint

    def _came(self, path: bytes) -> None:
        """Takes note of a new name: the one before it in its series is complete now."""
        if (around := self._unit_around(parent(path))) is not None:
            around.missing.discard(path)
        one = numbered(name_of(path))
        if one is None:
            return
        series = parent(path), one.series
        before = self.newest.get(series)
        self.newest[series] = path
        if before is None or before == path or (known := self.units.setdefault(before, UnitFacts())).sign is not None:
            return
        former = numbered(name_of(before))
        changed_at = self._last_change(before)
        if former is not None and former.numbers < one.numbers and changed_at > -math.inf:  # else a version has it
            known.sign, known.at = Sign.NEXT, changed_at

    def has_successor(self, path: bytes) -> bool:
        """Whether another one of the series of a path has begun since."""
        one = numbered(path.rpartition(b"/")[2])
        return one is not None and self.newest.get((parent(path), one.series), path) != path

    def _last_change(self, place: bytes) -> float:
        return max((facts.changed_at for path, facts in self.paths.items() if is_at(path, place)), default=-math.inf)

    def _marked(self, path: bytes, stamp: Stamp) -> None:
        name = name_of(path)
        if name in MARKERS:
            self._sign(parent(path), Sign.MARKER, stamp)
        elif name in POINTERS:
            self.pointers.add(path)

    def _sign(self, unit: bytes, sign: Sign, stamp: Stamp) -> None:
        facts = self.units.setdefault(unit, UnitFacts())
        facts.sign, facts.at, facts.is_rotated, facts.is_stale, facts.is_early = sign, stamp.at, False, False, False
        facts.missing.clear()
        one = numbered(name_of(unit))
        if sign is Sign.MARKER:
            facts.has_marker = True
            if one is not None:
                self.marked.add((parent(unit), one.series))

    def _removed(self, event: Removed) -> None:
        self._withdraw_early(event.path)
        self.paths.pop(event.path, None)  # of a directory nothing is left that could have facts
        is_unit = event.path in (*self.units, *self.newest.values()) and is_one_of_many(name_of(event.path))
        is_part = not is_temporary(name_of(event.path)) and not is_unit and not has_later_step(event.path, self.paths)
        self._forget_unit(event.path)
        handles = self._take_handles(event.path)
        if not event.last:
            path = event.path if event.also is None else event.also
            self.handles.update((number, handle._replace(path=path)) for number, handle in handles.items())
        around = self._note(parent(event.path), event.stamp)
        if is_part:
            around.removed_at = event.stamp.at
            self._lost(event.path, event.stamp)

    def is_early_for(self, path: bytes) -> bool:
        """Whether the marker around a file that is about to go, or to be written over, tells nothing of it."""
        unit = self._unit_around(parent(path))
        return path not in self.units and came_before(path, unit, self.paths)

    def _withdraw_early(self, path: bytes) -> None:
        if self.is_early_for(path):
            place = self.unit_of(parent(path)) or b""
            unit = self.units[place]
            unit.sign, unit.is_early = None, True
            # What was kept since has the new marker, and what is older than it.
            for kept in [kept for kept, pin in self.pinned.items() if is_at(place, kept) and pin.at >= unit.at]:
                del self.pinned[kept]

    def _lost(self, path: bytes, stamp: Stamp) -> None:
        """Takes note that what was a part of a unit is gone, or about to be written over."""
        unit = self._unit_around(parent(path))
        is_of_newest = any(is_at(path, newest) and newest not in self.units for newest in self.newest.values())
        if unit is not None and stamp.by in self.closed_by and not is_of_newest:
            unit.missing |= {path} if unit.is_early else set()
            unit.is_rotated |= not unit.is_early
        around = self.units.get(parent(path))
        if around is not None and name_of(path) in MARKERS:
            around.has_marker = False

    def _arrived(self, event: Arrived) -> None:
        for below, facts in event.carried.paths.items():
            self.paths[joined(event.path, below)] = facts
        for number, handle in event.carried.handles.items():
            self.handles[number] = handle._replace(path=joined(event.path, handle.path))
        facts = self._changed(event)
        facts.arrived_at, facts.origin = event.stamp.at, event.origin
        for below, unit in event.carried.units.items():
            self.units[joined(event.path, below)] = unit
        for below, pin in event.carried.pinned.items():
            self.pinned[joined(event.path, below)] = pin
        self._came(event.path)
        self._marked(event.path, event.stamp)
        if event.directory and is_temporary(event.origin) and not is_temporary(name_of(event.path)):
            self._sign(event.path, Sign.RENAME, event.stamp)
        if len(self.paths) > PATHS_KEPT:
            self._make_room()

    def _truncated(self, event: Truncated) -> None:
        facts = self._changed(event)
        facts.in_order = event.size == 0
        facts.appended = False
        if event.size == 0:
            facts.failed = facts.killed = None

    def _changed(self, event: Stamped) -> PathFacts:
        return self._note(event.path, event.stamp)

    def _note(self, path: bytes, stamp: Stamp) -> PathFacts:
        self.changed_at = max(self.changed_at, stamp.at)
        if stamp.by is not None:
            self.writers.add(stamp.by)
        facts = self.paths.get(path)
        if facts is None:
            if len(self.paths) >= PATHS_KEPT:
                self._make_room()
            facts = self.paths[path] = PathFacts()
        facts.changed_at, facts.by = stamp.at, stamp.by
        return facts

    def _make_room(self) -> None:
        make_room(self.paths, {handle.path for handle in self.handles.values()})

    def _forget_unit(self, path: bytes) -> None:
        self.units.pop(path, None)
        one = numbered(name_of(path))
        if one is not None and self.newest.get((parent(path), one.series)) == path:
            del self.newest[parent(path), one.series]

    def _at(self, path: bytes, *, directory: bool) -> list[bytes]:
        if directory:
            return [known for known in self.paths if is_at(known, path)]
        return [path] if path in self.paths else []

    def _take_handles(self, path: bytes) -> dict[int, HandleFacts]:
        """Those below a path, with the path from there."""
        taken = {number: handle for number, handle in self.handles.items() if is_at(handle.path, path)}
        for number in taken:
            del self.handles[number]
        return {number: handle._replace(path=below_of(path, handle.path)) for number, handle in taken.items()}


def is_stream_so_far(path: bytes, facts: PathFacts) -> bool:
    """Whether a file was only ever appended to since the draft was a version."""
    return facts.appended or (facts.in_order and is_stream(path.rpartition(b"/")[2]))
