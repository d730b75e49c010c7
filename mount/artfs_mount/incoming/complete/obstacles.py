"""What keeps parts of a draft out of versions, and why, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from artfs_mount.incoming.complete.facts import DraftKind, PathFacts
from artfs_mount.incoming.complete.history import is_stream_so_far
from artfs_mount.incoming.complete.interrupted import why_draft_not_whole, why_not_whole_beside, why_unit_not_whole
from artfs_mount.incoming.complete.known import Facts
from artfs_mount.incoming.complete.names import has_temporary, temporary_part
from artfs_mount.incoming.complete.paths import is_at, parent
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.complete.units import Unit, Units

AGAIN = "write it again, commit it as it is (artfs commit), or remove it"


@dataclass(frozen=True)
class Obstacle:
    """What keeps a path out of a version. waits: something may end it by itself. since: when it last changed, or when
    it was opened. left: it has a temporary name, and whoever wrote it has ended.
    """

    path: bytes
    why: str
    waits: bool
    since: float = -math.inf
    left: bool = False


def obstacles(facts: Facts, quiet: Quiet) -> list[Obstacle]:
    """All that keeps paths of a draft out of versions, by path. What is in a temporary directory is told as that."""
    if facts.kind is not DraftKind.DIRECTORY:
        known = obstacle_at(facts, b"", facts.history.paths.get(b"", PathFacts()))
        return [] if known is None else [known]
    found: dict[bytes, Obstacle] = {}
    for each in (*_leftovers(facts), *found_obstacles(facts, Units(facts.history), quiet.unit)):
        at = temporary_part(each.path) or each.path
        before = found.get(at)
        if before is None or (each.waits, each.since) > (before.waits, before.since):
            found[at] = replace(each, path=at, why=each.why.replace(shown(each.path), shown(at), 1))
    return [found[path] for path in sorted(found)]


def found_obstacles(facts: Facts, units: Units, seconds: float) -> Iterator[Obstacle]:
    """What is in the way in a directory; seconds: who ends so soon after he wrote was in the middle of it."""
    history = facts.history
    for handle in history.handles.values():
        if handle.writes and not history.is_open_stream(handle):
            yield Obstacle(handle.path, opened(1, handle.path), waits=True, since=handle.since)
    for path, known in history.paths.items():
        is_temporary = has_temporary(path)
        if is_temporary and not facts.ended:
            why = f"{shown(path)} has a temporary name, and a program that writes here still runs"
            yield Obstacle(path, why, waits=True, since=known.changed_at)
        elif (obstacle := obstacle_at(facts, path, known)) is not None:
            yield obstacle
        if is_temporary and facts.ended:
            yield from _beside_temporary(facts, units, path, known)
    if not units.has_inner and facts.ended:
        reason = why_draft_not_whole(history, facts.failed, seconds)
        top = history.units.get(b"")
        if reason is not None and (top is None or top.sign is None):
            yield Obstacle(b"", f"{reason}; {AGAIN}", waits=False, since=history.changed_at)
    for unit in units:
        reason = why_unit_not_whole(unit, history, facts.failed, seconds)
        if reason is not None:
            what = f"{shown(unit.path)}: " if unit.path else ""
            yield Obstacle(unit.path, f"{what}{reason}; {AGAIN}", waits=not facts.ended, since=unit.changed_at)


def obstacle_at(facts: Facts, path: bytes, known: PathFacts) -> Obstacle | None:
    found = _fault(facts, path, known)
    if found is None:
        return None
    why, waits = found
    return Obstacle(path, f"{shown(path)}: {why}" if path else why, waits, since=known.changed_at)


def opened(count: int, path: bytes = b"") -> str:
    if path:
        return f"{shown(path)} is open for writing"
    return "1 file is open for writing" if count == 1 else f"{count} files are open for writing"


def shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _beside_temporary(facts: Facts, units: Units, path: bytes, known: PathFacts) -> Iterator[Obstacle]:
    around = units.around(path)
    reason = why_not_whole_beside(path, known, facts.failed)
    if reason is None or (around is not None and _is_as_marked(facts, around, known)):
        return
    if not _is_made_good(facts, path, known):
        yield Obstacle(parent(path), reason, waits=False, since=known.changed_at)


def _is_as_marked(facts: Facts, unit: Unit, temporary: PathFacts) -> bool:
    """Whether nothing in a unit was written or removed since a sign came, but for what has a temporary name."""
    at = unit.facts.at
    if at >= temporary.changed_at:
        return True
    return (
        unit.facts.sign is not None
        and not unit.facts.is_rotated
        and unit.removed_at <= at
        and not any(
            known.closed_at is not None and known.changed_at > at and not is_stream_so_far(path, known)
            for path, known in facts.history.paths.items()
            if is_at(path, unit.path) and not has_temporary(path)
        )
    )


def _is_made_good(facts: Facts, path: bytes, known: PathFacts) -> bool:
    """Whether a program that did not fail has written beside it since."""
    return any(
        other.changed_at > known.changed_at and other.by not in facts.failed and other.closed_at is not None
        for at, other in facts.history.paths.items()
        if parent(at) == parent(path) and not has_temporary(at)
    )


def _leftovers(facts: Facts) -> Iterator[Obstacle]:
    if facts.ended:
        for path, known in facts.history.paths.items():
            if has_temporary(path):
                why = f"{shown(path)}: a program that has ended left it; 'artfs discard' removes it"
                yield Obstacle(path, why, waits=False, since=known.changed_at, left=True)


def _fault(facts: Facts, path: bytes, known: PathFacts) -> tuple[str, bool] | None:
    """What is wrong with a file, and whether that may pass by itself."""
    if known.failed is not None:
        return f"a write to it failed ({known.failed}); write it again or remove it", False
    if known.killed is not None and not is_stream_so_far(path or facts.name.encode("utf-8", "surrogateescape"), known):
        return "a signal killed the program that wrote it; write it again, commit it or remove it", False
    if known.fault is not None and not (known.hint and facts.ended) and facts.history.is_checked(path, known):
        return f"{known.fault}; {AGAIN}", not facts.ended
    return None
