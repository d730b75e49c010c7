"""Stories of drafts: what programs do, line by line with times, told to the rule without a disk or a clock of its own.

    1 save checkpoint-5/model        made, opened, written and closed
    2 open a | 3 write a | 4 close a a file that is emptied and written for a while; `killed a`, `failed a`: a bad end
    2 append log                     the same, opened to be appended to; `patch a` opens what is there to be changed
    5 remove a | 5 rename a b | 5 mkdir d | 5 chmod a
    6 rmtree checkpoint-5            every file, then the directories

What a version would hold is kept as the contents of its files: each save is a content of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from artfs_mount.incoming.complete.events import (
    Arrived,
    Changed,
    Checked,
    Closed,
    DraftPath,
    Failed,
    Left,
    Made,
    Opened,
    Pinned,
    Pointed,
    Removed,
    Stamp,
    Truncated,
    Written,
)
from artfs_mount.incoming.complete.facts import DraftKind, Pin
from artfs_mount.incoming.complete.history import DraftHistory
from artfs_mount.incoming.complete.known import Facts
from artfs_mount.incoming.complete.markers import missing_marker, target_of
from artfs_mount.incoming.complete.paths import is_at, is_at_any
from artfs_mount.incoming.complete.process import Ending, How, Process
from artfs_mount.incoming.complete.rule import Check, Decision, Seal, Wait, decide, to_pin
from artfs_mount.incoming.complete.settings import Quiet

TRAIN = Process(10, 1)
KILLED = Ending(How.KILLED, 9)
QUIET = Quiet(file=2.0, unproven=10.0, directory=10.0, living=60.0, unit=2.0)
ROUNDING = 1e-9
LOOKS = 200
"""More than any draft needs, without a change, until nothing is left to be decided."""

WHOLE, OPEN, GROWING, BAD = "whole", "open", "growing", "bad"


@dataclass(frozen=True)
class Content:
    """What a file holds. state: WHOLE, OPEN (being written), GROWING (being appended to) or BAD."""

    number: int
    state: str = WHOLE


@dataclass(frozen=True)
class Version:
    """A version that the story made."""

    at: float
    by: str
    files: Mapping[str, Content]

    @property
    def names(self) -> set[str]:
        return set(self.files)


class Endless(AssertionError):
    """The rule says again and again the same, and nothing comes of it."""


@dataclass
class Story:
    """A draft, as the sealer would treat it.

    facts: what more is known of it. unfit: files whose format says that they are not whole. texts: what pointers say.
    proven: whether the formats of files prove their ends.
    """

    name: str = "run"
    kind: DraftKind = DraftKind.DIRECTORY
    quiet: Quiet = QUIET
    facts: dict[str, Any] = field(default_factory=lambda: {"ended": False})
    unfit: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)
    proven: bool = False
    history: DraftHistory = field(default_factory=DraftHistory)
    versions: list[Version] = field(default_factory=list)
    is_sealed: bool = True
    now: float = 0.0

    def __post_init__(self) -> None:
        self.files: dict[bytes, Content] = {}
        self.directories: set[bytes] = {b""}
        self.handles: dict[bytes, list[int]] = {}
        self.kept: dict[bytes, dict[bytes, Content]] = {}
        self._numbers = itertools.count(1)

    def tell(self, *lines: str) -> Story:
        """What happened, in order; nobody looks at the draft meanwhile but to keep what is complete."""
        for line in lines:
            time, verb, *paths = line.split()
            assert float(time) >= self.now - 1000 * ROUNDING, line
            self.now = max(self.now, float(time))
            self.act(verb, *(b"" if path == "." else path.encode() for path in paths))
        return self

    def live(self, *lines: str, until: float | None = None) -> Story:
        """What happened while the sealer watched the draft."""
        for line in lines:
            self.watch(float(line.split()[0]))
            self.tell(line)
            self.watch(self.now)
        if until is not None:
            self.watch(until)
        return self

    def act(self, verb: str, *paths: bytes) -> None:
        """Does one thing now."""
        getattr(self, f"_{verb}")(*paths)
        self.is_sealed = self.is_sealed and not self.history.paths
        self.pin()

    def decide(self, at: float | None = None) -> Decision:
        return decide(self.known(at), self.quiet)

    def pin(self) -> None:
        """Keeps what is complete, as the sealer does whenever it looks."""
        for pointer in self.history.take_pointers():
            text = self.texts.get(pointer.decode())
            target = target_of(pointer.rpartition(b"/")[2], text.encode()) if text else None
            if target is not None:
                self.history.add(Pointed(pointer, Stamp(self.now, None), target))
        for unit in to_pin(self.known(), self.quiet):
            sign = self.history.units[unit].sign if unit in self.history.units else None
            self.kept[unit] = self.below(unit)
            self.history.add(Pinned(unit, Pin(self.now, self.now, sign)))

    def watch(self, until: float) -> None:
        """Does what the rule says until then."""
        for _ in range(LOOKS):
            self.pin()
            decision = None if self.is_sealed else self.decide()
            match decision:
                case Seal():
                    self.seal(decision)
                case Check(paths):
                    for path in paths:
                        fault = "it is not whole" if path.decode() in self.unfit else None
                        self.history.add(Checked(path, Stamp(self.now, None), fault, self.proven and not fault))
                case Wait(_, seconds) if seconds is not None and self.now + seconds <= until:
                    self.now += max(seconds, ROUNDING)
                case _:
                    self.now = max(self.now, until)
                    return
        raise Endless(decision)

    def seal(self, decision: Seal) -> None:
        """Makes a version, or finds out why what was taken is not whole."""
        assert b"" not in decision.leave_out - decision.pinned
        taken = {path: content for path, content in self.files.items() if not is_at_any(path, decision.leave_out)}
        for unit in decision.pinned:
            taken.update(self.kept[unit])
        bad = {path: "it is not whole" for path in taken if path.decode() in self.unfit}
        bad |= dict.fromkeys(self.lacking(taken), "its marker is missing")
        for path, fault in bad.items():
            kept = next((unit for unit in decision.pinned if is_at(path, unit)), None)
            if kept is None:
                self.history.add(Checked(path, Stamp(self.now, None), fault))
            else:
                self._unpin(kept)
        if bad:
            return
        if taken:
            files = {path.decode(): content for path, content in taken.items()}
            if not self.versions or files != self.versions[-1].files:
                self.versions.append(Version(self.now, str(decision.by), files))
        self.history.begin_anew(decision.leave_out, self.now, pinned=decision.pinned)
        for unit in list(self.history.pinned):
            if unit in decision.pinned or not is_at_any(unit, decision.leave_out):
                self._unpin(unit)
        if not self.history.paths and not self.history.open_writers:
            self.is_sealed = True
        elif (again := self.decide()) == decision:
            raise Endless(decision, again)

    def below(self, unit: bytes) -> dict[bytes, Content]:
        return {path: content for path, content in self.files.items() if is_at(path, unit)}

    def known(self, at: float | None = None) -> Facts:
        """What the rule is told, at that time or now."""
        return Facts(self.name, self.kind, self.now if at is None else at, self.history, **self.facts)

    def lacking(self, taken: Iterable[bytes]) -> Iterable[bytes]:
        names: dict[bytes, set[bytes]] = {}
        for path in taken:
            while path:
                above, _, name = path.rpartition(b"/")
                names.setdefault(above, set()).add(name)
                path = above
        return [path for path, found in names.items() if missing_marker(path.rpartition(b"/")[2], found)]

    def _unpin(self, unit: bytes) -> None:
        self.history.pinned.pop(unit, None)
        self.kept.pop(unit, None)

    @property
    def _stamp(self) -> Stamp:
        return Stamp(self.now, TRAIN)

    def _mkdir(self, path: bytes) -> None:
        above = path.rpartition(b"/")[0]
        if above not in self.directories:
            self._mkdir(above)
        if path not in self.directories:
            self.directories.add(path)
            self.history.add(Made(path, self._stamp))

    def _opened(self, path: bytes, state: str, *, appends: bool = False) -> int:
        self._mkdir(path.rpartition(b"/")[0])
        if path not in self.files:
            self.history.add(Made(path, self._stamp))
        if path in self.handles and self.files[path].state == BAD:
            state = BAD
        self.files[path] = Content(next(self._numbers), state)
        number = next(self._numbers)
        self.handles.setdefault(path, []).append(number)
        self.history.add(Opened(path, self._stamp, number, True, appends))
        return number

    def _open(self, path: bytes) -> None:
        known = path in self.files
        self._opened(path, OPEN)
        if known:
            self.files[path] = Content(next(self._numbers), OPEN)
            self.history.add(Truncated(path, self._stamp, 0))

    def _patch(self, path: bytes) -> None:
        for unit, kept in list(self.kept.items()):
            if kept.get(path) == self.files.get(path):
                self._unpin(unit)
        self._opened(path, OPEN)

    def _append(self, path: bytes) -> None:
        self._opened(path, GROWING, appends=True)

    def _write(self, path: bytes) -> None:
        self.files[path] = Content(next(self._numbers), self.files[path].state)
        self.history.add(Written(path, self._stamp, self.handles[path][-1], True))

    def _scribble(self, path: bytes) -> None:
        self.history.add(Written(path, self._stamp, self.handles[path][-1], False))

    def _end(self, path: bytes, state: str, ending: Ending) -> None:
        number = self.handles[path].pop()
        old = self.files[path].state
        if old == BAD or (self.handles[path] and state == WHOLE):
            state = old
        elif old == GROWING:  # whoever was killed: what it had appended is there
            state = GROWING if self.handles[path] else WHOLE
        if not self.handles[path]:
            del self.handles[path]
        self.files[path] = Content(next(self._numbers), state)
        self.history.add(Closed(path, self._stamp, number, ending))

    def _close(self, path: bytes) -> None:
        self._end(path, WHOLE, Ending(How.CLOSED))

    def _killed(self, path: bytes) -> None:
        self._end(path, BAD, KILLED)

    def _failed(self, path: bytes) -> None:
        self.history.add(Failed(path, self._stamp, "ENOSPC"))
        self.files[path] = Content(next(self._numbers), BAD)

    def _save(self, path: bytes) -> None:
        self._open(path)
        self._write(path)
        self._close(path)

    def _chmod(self, path: bytes) -> None:
        self.history.add(Changed(path, self._stamp))

    def _remove(self, path: bytes) -> None:
        self.directories.discard(path)
        self.files.pop(path, None)
        self.handles.pop(path, None)
        self.history.add(Removed(path, self._stamp))

    def _rmtree(self, path: bytes) -> None:
        for file in sorted(self.below(path)):
            self._remove(file)
        for directory in sorted((known for known in self.directories if is_at(known, path)), reverse=True):
            self._remove(directory)

    def _rename(self, old: bytes, new: bytes) -> None:
        is_directory = old in self.directories
        if new in self.files or new in self.directories:
            self._remove(new)
        carried = self.history.take(old, directory=is_directory)
        self.history.add(Left(old, self._stamp, DraftPath(self.name.encode(), new)))
        self.history.add(Arrived(new, self._stamp, old.rpartition(b"/")[2], carried, is_directory))
        for unit in [unit for unit in self.kept if is_at(unit, old)]:
            kept = self.kept.pop(unit)
            self.kept[new + unit[len(old) :]] = {new + path[len(old) :]: content for path, content in kept.items()}
        for known in (self.files, self.handles):
            for path in [path for path in known if is_at(path, old)]:
                known[new + path[len(old) :]] = known.pop(path)  # type: ignore[assignment]
        moved = {path for path in self.directories if is_at(path, old)}
        self.directories -= moved
        self.directories |= {new + path[len(old) :] for path in moved}


def told(*lines: str, **options: Any) -> Story:
    """A draft of which these things are known, and that nobody has looked at yet."""
    return Story(**options).tell(*lines)


def lived(*lines: str, until: float, **options: Any) -> Story:
    """A draft that was watched all the time."""
    return Story(**options).live(*lines, until=until)
