"""Whose reads count for what a process writes.

    the writer     itself
    its ancestors  as far as it was forked from them without exec: it has their memory
    upstream       processes that hold the write end of a pipe of which one that counts holds the read end. Not of a
                   pipe of which somebody holds both: it is a tool among equals, such as a job server's
    descendants    of its process group: while they live, and then for the next draft that it writes

Commands that merely follow each other in a script are none of these, and neither is what a shell or a notebook starts
in a group of its own. An edge that is missing is bad; a false one is worse.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from artfs.linux.pipes import pipe_ends, processes_in_session
from artfs.linux.processes import Kin, is_same_program, kin_of, state_of
from artfs_mount.incoming.complete.process import Process
from artfs_mount.incoming.reads import Reads

MEMBERS_REMEMBERED = 10_000
PIPES_REMEMBERED = 4_096
LOOK_AGAIN_SECONDS = 0.5
SESSION_SECONDS = 0.05
"""How often the pipes of a process are looked at, and those of its session for somebody who reads."""
UNSETTLED_LOOKED_AT = 32
GENERATIONS = 64
"""Nobody is looked for further up."""


@dataclass(eq=False)
class Member:
    """A process that has used the mount. above: its ancestors in its process group, nearest first. forked_from: those
    whose memory it had when it was last looked at. has_execed: it has none of that any more, for good."""

    process: Process
    kin: Kin
    above: tuple[Process, ...]
    reads: Reads = field(default_factory=Reads)
    forked_from: tuple[Process, ...] = ()
    has_execed: bool = False
    pipes_at: float = 0.0


@dataclass
class _Pipe:
    """Who was seen with which end, and who with both: whether it had then been forked and had called no exec yet."""

    readers: set[Process] = field(default_factory=set)
    writers: set[Process] = field(default_factory=set)
    sharers: dict[Process, bool] = field(default_factory=dict)


class Kinship:
    """The processes that have used the mount, and how they belong together. Only the event loop's thread uses it."""

    def __init__(self) -> None:
        self._members: OrderedDict[Process, Member] = OrderedDict()
        self._below: dict[Process, dict[Process, None]] = {}
        self._pipes: OrderedDict[int, _Pipe] = OrderedDict()
        self._ends: dict[Process, set[int]] = {}
        self._sessions_at: dict[int, float] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._members)

    def member(self, process: Process) -> Member | None:
        """A process as a member; None when it is gone and was never seen."""
        known = self._members.get(process)
        if known is not None:
            self._members.move_to_end(process)
            return known
        kin = kin_of(process.pid)
        if kin is None or kin.started != process.started:
            return None
        member = self._members[process] = Member(process, kin, tuple(_above(kin)))
        while len(self._members) > MEMBERS_REMEMBERED:
            self._forget(next(iter(self._members)))
        return member

    def reader(self, process: Process) -> Reads | None:
        """Where to write down what a process reads just now; None when it is gone and was never seen."""
        member = self.member(process)
        if member is None:
            return None
        if not member.reads.moment:
            for above in member.above:
                self._below.setdefault(above, {})[process] = None
        self._look_at_pipes(member, writes=True)
        return member.reads

    def counted(self, process: Process, *, by_content: bool = True) -> list[Reads]:
        """Whose reads count for what a process writes now. Descendants that have ended count no other time.

        by_content: it writes bytes; what it does to names alone says nothing of what others have read.
        """
        writer = self.member(process)
        if writer is None:
            return []
        if not by_content:
            return [writer.reads]
        self._look_at_pipes(writer, writes=False)
        counted = [process, *self._forked_from(writer), *self._take_below(process)]
        for one in counted:  # which grows
            counted += [other for other in self._upstream_of(one) if other not in counted]
        members = (self._members.get(one) for one in counted)
        return [member.reads for member in members if member is not None]

    def notice_writer(self, process: Process) -> None:
        """Looks whose pipes a process reads that begins to write, as those may be gone when it is done."""
        member = self.member(process)
        if member is not None:
            self._look_at_pipes(member, writes=False)

    def forked_from(self, process: Process) -> tuple[Process, ...]:
        """Those whose memory a process has, as far as that was seen."""
        member = self._members.get(process)
        return member.forked_from if member is not None else ()

    def forget_ended(self) -> None:
        """Forgets processes that have ended, and of which nobody is left to whom they could count."""
        for process, member in list(self._members.items()):
            if not _lives(process) and not any(map(_lives, member.above)):
                self._forget(process)

    def _forget(self, process: Process) -> None:
        member = self._members.pop(process)
        self._below.pop(process, None)
        for above in member.above:
            below = self._below.get(above)
            if below is not None:
                below.pop(process, None)
                if not below:
                    del self._below[above]

    def _forked_from(self, member: Member) -> tuple[Process, ...]:
        if member.has_execed:
            return ()
        kin = kin_of(member.process.pid)
        if kin is not None and kin.started == member.process.started:
            member.has_execed = not kin.forked
            member.forked_from = tuple(_forebears(member.process.pid, kin))
        return member.forked_from

    def _take_below(self, process: Process) -> list[Process]:
        below = self._below.get(process, {})
        found = list(below)
        for each in found:
            if not _lives(each):
                del below[each]
        return found

    # Pipes

    def _upstream_of(self, process: Process) -> Iterator[Process]:
        for number in tuple(self._ends.get(process, ())):  # to look whether a pipe is shared may find more of them
            pipe = self._pipes.get(number)
            if pipe is not None and process in pipe.readers and not self._is_shared(pipe):
                yield from tuple(pipe.writers)

    def _is_shared(self, pipe: _Pipe) -> bool:
        """Whether somebody holds both ends: not only for the moment in which a shell starts a pipeline."""
        for process, was_forked in list(pipe.sharers.items()):
            if _lives(process):
                self._note_ends(process)
            elif was_forked:
                pipe.sharers.pop(process, None)
        return bool(pipe.sharers)

    def _look_at_pipes(self, member: Member, *, writes: bool) -> None:
        """Takes note of the pipes of a process; if it has ends of one kind, also of who has the others."""
        now = time.monotonic()
        if now - member.pipes_at < LOOK_AGAIN_SECONDS:
            return
        member.pipes_at = now
        pipes = [self._pipes[number] for number in self._note_ends(member.process)]
        if any(member.process in (pipe.writers if writes else pipe.readers) for pipe in pipes):
            last = self._sessions_at.get(member.kin.session)
            if not writes or last is None or now - last >= SESSION_SECONDS:
                self._look_at_session(member.kin.session)
            for pipe in self._unsettled():
                self._is_shared(pipe)

    def _look_at_session(self, session: int) -> None:
        for process in processes_in_session(session):
            self._note_ends(Process(*process))
        if len(self._sessions_at) >= PIPES_REMEMBERED:
            self._sessions_at.clear()
        self._sessions_at[session] = time.monotonic()

    def _unsettled(self) -> list[_Pipe]:
        """Pipes that were met while a shell may just have started a pipeline."""
        newest = islice(reversed(self._pipes.values()), UNSETTLED_LOOKED_AT)
        return [pipe for pipe in newest if any(pipe.sharers.values())]

    def _note_ends(self, process: Process) -> list[int]:
        """Takes note of the pipes that a process holds, and returns them."""
        kinds: dict[int, tuple[bool, bool]] = {}
        for number, reads, writes in pipe_ends(process.pid):
            before = kinds.get(number, (False, False))
            kinds[number] = before[0] or reads, before[1] or writes
        for number in self._ends.get(process, ()):
            pipe = self._pipes.get(number)
            if pipe is not None and process in pipe.sharers and kinds.get(number) != (True, True):
                del pipe.sharers[process]
                pipe.readers.discard(process)
                pipe.writers.discard(process)
        for number, (reads, writes) in kinds.items():
            self._note_end(process, number, reads=reads, writes=writes)
        while len(self._pipes) > max(PIPES_REMEMBERED, len(kinds)):
            self._drop_oldest_pipe()
        return list(kinds)

    def _note_end(self, process: Process, number: int, *, reads: bool, writes: bool) -> None:
        pipe = self._pipes.setdefault(number, _Pipe())
        self._pipes.move_to_end(number)
        if reads:
            pipe.readers.add(process)
        if writes:
            pipe.writers.add(process)
        if reads and writes:
            kin = kin_of(process.pid)
            pipe.sharers[process] = kin is not None and kin.forked
        self._ends.setdefault(process, set()).add(number)

    def _drop_oldest_pipe(self) -> None:
        number, pipe = self._pipes.popitem(last=False)
        for process in pipe.readers | pipe.writers:
            ends = self._ends.get(process, set())
            ends.discard(number)
            if not ends:
                self._ends.pop(process, None)


def _above(kin: Kin) -> Iterator[Process]:
    """The ancestors of a process in its own process group, nearest first."""
    group, parent = kin.group, kin.parent
    for _ in range(GENERATIONS):
        above = kin_of(parent) if parent > 1 else None
        if above is None or above.group != group:
            return
        yield Process(parent, above.started)
        parent = above.parent


def _forebears(pid: int, kin: Kin) -> Iterator[Process]:
    """Those that a process was forked from without exec, nearest first: none that has only taken it over."""
    for _ in range(GENERATIONS):
        parent = kin_of(kin.parent) if kin.forked and kin.parent > 1 else None
        if parent is None or parent.started > kin.started or not is_same_program(pid, kin.parent):
            return
        yield Process(kin.parent, parent.started)
        pid, kin = kin.parent, parent


def _lives(process: Process) -> bool:
    with suppress(OSError):
        state = state_of(process.pid)
        return state is not None and state.started == process.started and not state.has_ended
    return False
