"""When a draft is complete: the rule, as one pure function over facts.

A *unit* is what completes: the draft, or a directory or file in it that shows a sign: a marker, a new name in place of
a temporary one, the next one of its series. While a draft is busy, a version is made of it whenever a unit has become
complete; it holds complete units and other files that are closed, and leaves out all else. When the draft is quiet, a
version holds all of it but what is held or temporary. Of a unit that is being removed it holds what was pinned.

    holds its unit back (waits)  a handle that may write is open; a temporary name while its writers live
    holds its unit back (held)   a write failed; a signal killed a writer; a format, or the names in a directory, say
                                 that it is not whole; a program failed in the middle of it (interrupted.py)
    makes it seal                an explicit commit or a move into /artifacts (these skip this rule)
                                 a unit with a sign in which nothing has changed for `Quiet.unit`
                                 the end: all writers have ended with status 0, and so has what had started them
                                 a request to finish (`artfs sync`) when the processes that wrote it have ended
                                 quiet: see settings.py; never while a writer is stopped

Files that are only ever appended to (*streams*) hold back nothing, and end no quiet of others. Where an artifact says
so, each thing directly in the draft (*child*) is decided as if it were a draft.
A draft with a temporary name, or one that starts with a dot, waits until it is renamed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from artfs.errors import InvalidName
from artfs.names import check_tag_name
from artfs_mount.incoming.complete.children import history_below
from artfs_mount.incoming.complete.facts import DraftKind, PathFacts, Pin, Sign
from artfs_mount.incoming.complete.history import is_stream_so_far
from artfs_mount.incoming.complete.known import Facts
from artfs_mount.incoming.complete.names import has_temporary, is_hidden, is_temporary
from artfs_mount.incoming.complete.obstacles import Obstacle, found_obstacles, obstacle_at, opened, shown
from artfs_mount.incoming.complete.paths import is_at_any, joined, parent
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.complete.units import Unit, Units

STOPPED_SECONDS = 2.0
"""Nobody tells when a process goes on that was stopped."""


@dataclass(frozen=True)
class Seal:
    """The draft, or something in it, is complete. by: a `Sign`, "ended" or "quiet".

    leave_out: what is not, with all below it. pinned: units that are gone, or being removed, and are taken as they were
    pinned. child: only this, which lies directly in the draft, becomes a version. world_size: of how many processes the
    files have to be there.
    """

    by: str = "quiet"
    leave_out: frozenset[bytes] = frozenset()
    pinned: frozenset[bytes] = frozenset()
    child: bytes = b""
    world_size: int | None = None


@dataclass(frozen=True)
class Check:
    """Whether it is complete depends on the format of these files."""

    paths: tuple[bytes, ...]


@dataclass(frozen=True)
class Wait:
    """Not yet: `seconds` until it is worth asking again, or None when only a change can help.

    aside: as it is, it is nothing that anybody waits for.
    """

    why: str
    seconds: float | None
    aside: bool = False


@dataclass(frozen=True)
class Hold:
    """It must not seal by itself; `why` says what is wrong and what to do."""

    why: str


Decision = Seal | Check | Wait | Hold


def decide(facts: Facts, quiet: Quiet) -> Decision:
    """Says whether a changed draft is complete.

    >>> from artfs_mount.incoming.complete.history import DraftHistory
    >>> decide(Facts("x", DraftKind.LINK, 2.5, DraftHistory(at=0.0)), Quiet(file=2.0)).by
    'quiet'
    """
    why = facts.aside or why_aside(facts.name)
    if why is not None:
        return Wait(why, None, aside=True)
    if facts.kind is DraftKind.DIRECTORY and facts.children is not None:
        return _of_children(facts, facts.children, quiet)
    if facts.kind is DraftKind.DIRECTORY:
        decision = _Directory(facts, quiet).decide()
        alive = None if facts.ended else facts.world_size
        return replace(decision, world_size=alive) if isinstance(decision, Seal) and alive else decision
    return _of_file(facts, quiet)


def why_aside(name: str) -> str | None:
    """Why a draft of this name becomes no version before it is renamed."""
    if is_hidden(name):
        return "a name that starts with a dot is taken for a temporary file; rename it, commit it or discard it"
    if is_temporary(name.encode("utf-8", "surrogateescape")):
        return "its name is the one of a temporary file; rename it, commit it or discard it"
    return None


def _of_file(facts: Facts, quiet: Quiet) -> Decision:
    history = facts.history
    if history.open_writers:
        return _while_open(opened(history.open_writers), facts, quiet)
    if facts.held is not None:
        return Hold(facts.held)
    path = history.paths.get(b"", PathFacts())
    obstacle = obstacle_at(facts, b"", path)
    if obstacle is not None:
        return Hold(obstacle.why)
    if facts.stopped:
        return Wait("a program that writes it is stopped", STOPPED_SECONDS)
    still = facts.now - history.changed_at
    if facts.kind is DraftKind.FILE and not path.is_checked and (still >= quiet.file or facts.finish):
        return Check((b"",))
    # What was not looked at yet is, after the shorter time.
    is_certain = facts.ended or path.proven or not path.is_checked or facts.kind is DraftKind.LINK
    remaining = (quiet.file if is_certain else quiet.unproven) - still
    return Wait("it changed a moment ago", remaining) if remaining > 0 and not facts.finish else Seal()


def _while_open(why: str, facts: Facts, quiet: Quiet) -> Decision:
    """A program that waits for its own open file would wait for ever, unless a thread of it writes meanwhile."""
    if not facts.waits_for_itself:
        return Wait(why, None)
    remaining = quiet.unproven - (facts.now - facts.history.changed_at)
    return Wait(why, remaining) if remaining > 0 else Hold(f"{why}, by the program that waits for it; close it first")


def to_pin(facts: Facts, quiet: Quiet) -> list[bytes]:
    """The units of a busy draft whose files are to be kept now, whatever its writers do with the names."""
    return _Directory(facts, quiet).to_pin() if facts.kind is DraftKind.DIRECTORY and facts.held is None else []


def _of_children(facts: Facts, children: Mapping[bytes, DraftKind], quiet: Quiet) -> Decision:
    """Of several that are complete the one that changed first; else what any of them waits for, then what is held."""
    if facts.held is not None:
        return Hold(facts.held)
    decisions = {child: decide(_of_child(facts, child, kind), quiet) for child, kind in children.items()}
    found = {child: _unless_no_tag(child, decision) for child, decision in decisions.items()}
    seals = [_in_child(child, decision) for child, decision in found.items() if isinstance(decision, Seal)]
    if seals:
        return min(seals, key=lambda seal: max(history_below(facts.history, seal.child).changed_at, 0.0))
    checks = [joined(child, path) for child, each in found.items() if isinstance(each, Check) for path in each.paths]
    if checks:
        return Check(tuple(checks))
    waits = [each for each in found.values() if isinstance(each, Wait) and not each.aside]
    if waits:
        return min(waits, key=lambda wait: math.inf if wait.seconds is None else wait.seconds)
    holds = [f"{shown(child)}: {each.why}" for child, each in found.items() if isinstance(each, Hold)]
    return Hold(holds[0]) if holds else Wait("nothing in it is to become a version", None, aside=True)


def _unless_no_tag(child: bytes, decision: Decision) -> Decision:
    """What is decided of a child, whose version has its name as a tag: where no tag may have it, that one is held."""
    if isinstance(decision, Seal):
        try:
            check_tag_name(child.decode("utf-8", "surrogateescape"))
        except InvalidName as error:
            return Hold(f"{error}; rename it")
    return decision


def _of_child(facts: Facts, child: bytes, kind: DraftKind) -> Facts:
    name = child.decode("utf-8", "surrogateescape")
    return replace(facts, name=name, kind=kind, history=history_below(facts.history, child), children=None)


def _in_child(child: bytes, seal: Seal) -> Seal:
    leave_out = frozenset(joined(child, path) for path in seal.leave_out)
    pinned = frozenset(joined(child, path) for path in seal.pinned)
    return replace(seal, leave_out=leave_out, pinned=pinned, child=child)


class _Directory:
    """The rule for a draft that is a directory."""

    def __init__(self, facts: Facts, quiet: Quiet) -> None:
        self._facts = facts
        self._history = facts.history
        self._quiet = quiet
        self._units = Units(facts.history)
        self._newest = frozenset(facts.history.newest.values())
        self._temporary = frozenset(path for path in facts.history.paths if has_temporary(path))
        self.obstacles = list(found_obstacles(facts, self._units, quiet.unit))
        for obstacle in self.obstacles:
            if obstacle.waits or obstacle.path not in self._temporary:
                self._units.hinder(obstacle.path)

    def to_pin(self) -> list[bytes]:
        pinned = self._history.pinned
        return [
            unit.path
            for unit in self._units
            if (unit.facts.sign is not None or self._until_still(unit) <= 0)
            and not unit.hindered
            and (unit.path not in pinned or unit.changed_at > pinned[unit.path].at)
            and not self._is_being_removed(unit)
        ]

    def _until_still(self, unit: Unit) -> float:
        """In how many seconds the newest one of a series may be one that the next one is going to follow."""
        is_newest = unit.path and unit.path in self._newest and unit.changed_at > -math.inf and not unit.facts.is_stale
        return self._quiet.unit - (self._facts.now - unit.changed_at) if is_newest else math.inf

    def decide(self) -> Decision:
        if self._facts.held is not None and not self._history.open_writers:
            return Hold(self._facts.held)
        busy = self._while_busy() if self._facts.held is None else math.inf
        quiet = self._when_quiet()
        if isinstance(busy, Seal):
            return replace(quiet, by=busy.by) if isinstance(quiet, Seal) else busy
        seconds = quiet.seconds if isinstance(quiet, Wait) else None
        if isinstance(quiet, Wait | Hold) and busy < (math.inf if seconds is None else seconds):
            return Wait(quiet.why, busy)
        return quiet

    def _while_busy(self) -> Seal | float:
        """What is complete while the rest goes on changing, or in how many seconds something may be."""
        ready, soonest = self._ready()
        gone = self._gone()
        is_due = False
        for pin in gone.values():
            remaining = self._quiet.unit - (self._facts.now - pin.changed_at)
            is_due |= remaining <= 0
            soonest = min(soonest, remaining) if remaining > 0 else soonest
        if not ready and not is_due:
            return soonest
        if (kept := gone.get(b"")) is not None and is_due:  # the draft was complete, and all of it is kept
            return Seal(kept.sign or Sign.NEXT, frozenset({b""}), frozenset({b""}))
        left_out, free_in = self._left_out()
        if b"" in left_out:
            return min(soonest, free_in)
        signs = {sign for path, sign in ready.items() if not is_at_any(path, left_out)}
        if not signs and not is_due:
            return min(soonest, free_in)
        # Whatever is gone is taken at once, as nothing else would keep it after this.
        signs.update(pin.sign or Sign.NEXT for pin in gone.values())
        return Seal(min(signs), left_out | gone.keys(), frozenset(gone))

    def _ready(self) -> tuple[dict[bytes, Sign], float]:
        """The units that are complete, and what says so; in how many seconds the next one may be."""
        ready: dict[bytes, Sign] = {}
        soonest = math.inf
        for unit in self._units:
            if unit.facts.sign is None and not unit.hindered and unit.path not in self._history.pinned:
                still_in = self._until_still(unit)
                soonest = min(soonest, still_in) if still_in > 0 else soonest  # to be pinned then
            if unit.facts.sign is None or unit.hindered:
                continue
            if self._is_part_of_what_completes(unit):
                continue
            remaining = self._quiet.unit - (self._facts.now - max(unit.facts.at, unit.changed_at))
            if self._is_being_removed(unit):
                remaining = self._quiet.directory - (self._facts.now - unit.removed_at)
            if remaining > 0:
                soonest = min(soonest, remaining)
            else:
                ready[unit.path] = unit.facts.sign
        return ready, soonest

    def _is_part_of_what_completes(self, unit: Unit) -> bool:
        """Whether a unit around it has a sign too, and is to be waited for."""
        top = self._units.get(b"")
        if top is None or top is unit or top.facts.sign is None or top.hindered:
            return False
        return self._facts.now - max(top.facts.at, top.changed_at) < self._quiet.unit

    def _gone(self) -> dict[bytes, Pin]:
        """The units that are gone, or being removed, or begun anew since, and whose files are kept."""
        return {path: pin for path, pin in self._history.pinned.items() if self._is_gone(path, pin)}

    def _is_gone(self, path: bytes, pin: Pin) -> bool:
        unit = self._units.get(path)
        if unit is None:
            return pin.sign is not None or self._history.has_successor(path)
        if pin.sign is None and not unit.facts.is_rotated and not self._is_being_removed(unit):
            return False
        return unit.facts.sign is None or unit.facts.is_rotated or self._is_being_removed(unit)

    def _when_quiet(self) -> Decision:
        waiting = [each for each in self.obstacles if each.waits]
        if waiting:
            return _while_open(waiting[0].why, self._facts, self._quiet)
        if self._facts.held is not None:
            return Hold(self._facts.held)
        if not self._history.paths and self._history.open_writers:
            return Wait("a version has all of it, and a log is open that may grow", None, aside=True)
        if self._facts.stopped:
            return Wait("a program that writes it is stopped", STOPPED_SECONDS)
        held = [each for each in self.obstacles if each.path not in self._temporary]
        scopes = set().union(*map(self._scopes, held))
        if held and (b"" in scopes or not self._units.has_inner):
            return Hold(held[0].why)
        leave_out = frozenset(scopes | self._temporary)
        told = {each.path for each in held}
        changed = [path for path in self._history.paths if path not in told and not is_at_any(path, leave_out)]
        if self._history.paths and not changed:
            return Hold(held[0].why) if held else Wait("it holds only temporary files", None, aside=True)
        if changed and self._history.open_writers and all(map(self._is_stream, changed)):
            return Wait("only a log has changed, which is open", None, aside=True)
        remaining = self._quiet_seconds() - (self._facts.now - self._quiet_since(changed))
        if remaining > 0 and not self._facts.finish:
            return Wait("it changed a moment ago", remaining)
        gone = frozenset(self._gone())
        return Seal("ended" if self._facts.ended_well else "quiet", leave_out | gone, gone)

    def _quiet_seconds(self) -> float:
        if self._facts.ended_well:
            return min(self._quiet.unit, self._quiet.directory)
        return self._quiet.directory if self._facts.ended else self._quiet.living

    def _quiet_since(self, changed: Iterable[bytes]) -> float:
        """When something last changed, in a version by now or not. Streams beside other things do not count."""
        paths = self._history.paths
        lasting = [paths[path].changed_at for path in changed if not self._is_stream(path)]
        return max(*lasting, self._history.taken_at) if lasting else self._history.changed_at

    def _is_stream(self, path: bytes) -> bool:
        return is_stream_so_far(path, self._history.paths[path])

    def _left_out(self) -> tuple[frozenset[bytes], float]:
        """What is not complete, or may not be, while the draft goes on changing; in how many seconds less may be.

        The draft itself if nothing can be told from what is not complete.
        """
        now, units = self._facts.now, self._units
        out = set().union(*map(self._scopes, self.obstacles))
        free_in = math.inf
        for path, facts in self._history.paths.items():
            if units.holds(path) and not facts.folded:
                continue  # a directory, and others say what is in it
            scope = units.scope(path)
            remaining = -math.inf if self._is_stream(path) else self._quiet.unit - (now - facts.changed_at)
            if facts.removed_at is not None and path and not units.is_whole(scope):  # of wholes see below
                remaining = max(remaining, self._quiet.directory - (now - facts.removed_at))
            if remaining > 0 and (path or facts.folded):
                out.add(scope)
                free_in = min(free_in, remaining)
        for unit in units:
            if not units.is_whole(unit.path):
                continue
            if unit.facts.sign is None and unit.changed_at > -math.inf and units.scope(unit.path) == unit.path:
                out.add(unit.path)  # begun, or begun anew; what is in another whole is as that is
            elif self._is_being_removed(unit):
                out.add(units.scope(unit.path))
                free_in = min(free_in, self._quiet.directory - (now - unit.removed_at))
        return frozenset(out | self._temporary), free_in

    def _scopes(self, obstacle: Obstacle) -> set[bytes]:
        """What is left out because of an obstacle: of a directory with units in it, only what lies directly there."""
        path, paths, units = obstacle.path, self._history.paths, self._units
        scope = units.scope(path)
        if not units.holds(path) or units.is_whole(scope) or (path in paths and paths[path].folded):
            return {scope}
        direct = {other for other in paths if other and parent(other) == path}
        return {each for each in direct if not units.holds(each) and units.get(each) is None} or {path}

    def _is_being_removed(self, unit: Unit) -> bool:
        return unit.is_being_removed(self._facts.now, self._quiet.directory)
