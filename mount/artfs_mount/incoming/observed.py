"""Who read what from the mount: what a program reads becomes the inputs of what it writes to `/incoming` (lineage.py).

Nobody declares anything. Whose reads count for what a process writes says kinship.py; within a run that `artfs exec`
has begun, and put into the environment of its processes, all that they read does.

An open names an inode, and that says which version is meant, also where others hold an equal file. Processes that
cannot be looked into, such as those of another PID namespace, give no edge and get none.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from artfs.linux.processes import command_line, environment_variable, may_be_looked_into, process_group, start_time
from artfs.runs import RUN_VARIABLE, title
from artfs_mount.incoming.complete.process import Process
from artfs_mount.incoming.kinship import Kinship
from artfs_mount.incoming.reads import VERSIONS_REMEMBERED as VERSIONS_REMEMBERED
from artfs_mount.incoming.reads import Reads
from artfs_mount.incoming.writers import THREAD_SECONDS, Processes

ACTORS_REMEMBERED = 2_000
ACTORS_AT_FIRST = 64
"""Those that have ended are looked for at so many, then when there are twice as many as were left."""
PROCESSES_OF_AN_AUTHOR = 16
"""So many of the processes that wrote a draft are looked up as those of a pipeline."""

_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}


@dataclass(eq=False)
class Actor:
    """Programs that are one run: those of a run that was begun, or of a process group, as a shell gives each command.

    key: what they share. since_us: when the first was seen. command: of the shell script that they are, else of the
    first that was seen. run: uuid of the run that `artfs exec` has begun for it. process: the first process seen, with
    its start time. group: their process group. is_readable: its processes may be looked into. own: what they have read,
    where it is a run that was begun.
    """

    key: str
    since_us: int
    command: tuple[str, ...]
    run: str | None
    process: tuple[int, int]
    group: int | None = None
    is_readable: bool = True
    own: Reads = field(default_factory=Reads)

    def read(self, version_id: int) -> None:
        """Takes note of a version that was opened for reading."""
        self.own.read(version_id)


@dataclass(eq=False)
class Author:
    """Who has written a draft since it was a version. command: of the last that did, unless a script is the actor.

    readers: whose reads count, each with the moment of the last write: what is read later is no input. processes: some
    of those that wrote, the newest last, with those whose memory they had.
    """

    actor: Actor
    command: tuple[str, ...]
    readers: dict[Reads, int] = field(default_factory=dict)
    processes: dict[Process, None] = field(default_factory=dict)

    @classmethod
    def now(cls, actor: Actor) -> Author:
        """Somebody who changes a draft at this moment."""
        return cls(actor, actor.command, {actor.own: actor.own.moment}, {Process(*actor.process): None})

    def wrote(self, written: Written) -> None:
        """Takes note of a write."""
        for reads in written.readers:
            self.readers[reads] = max(self.readers.get(reads, 0), written.moment)
        for process in written.processes:
            self.processes.pop(process, None)
            self.processes[process] = None
        while len(self.processes) > PROCESSES_OF_AN_AUTHOR:
            del self.processes[next(iter(self.processes))]
        self.command = written.command or self.command

    def take(self, other: Author) -> None:
        """Takes over what somebody else is known to have read."""
        self.wrote(Written(max(other.readers.values(), default=0), (), tuple(other.processes), ()))
        for reads, moment in other.readers.items():
            self.readers[reads] = max(self.readers.get(reads, 0), moment)

    def inputs(self, before: int) -> set[int]:
        """Row ids of what he had read. before: that of what he made; a version is no input of an older one.

        For any thread, also while he reads on.
        """
        return {
            id_
            for reads, until in list(self.readers.items())
            for id_, moment in list(reads.versions.items())
            if id_ < before and moment <= until
        }

    def has_read_copy(self, draft: bytes, version: str) -> bool:
        """Whether a file of a working copy was read that still had a version's content."""
        return any(reads.copies.get((draft, version), until + 1) <= until for reads, until in self.readers.items())


@dataclass(frozen=True)
class Written:
    """A write. moment: what was read until then counts. readers, processes: those who count with the writer."""

    moment: int
    readers: Sequence[Reads]
    processes: Sequence[Process]
    command: tuple[str, ...] = ()


class Observer:
    """Remembers who read what. Only the event loop's thread uses it, but for `Author.inputs`."""

    def __init__(self, processes: Processes) -> None:
        self.moment = 0
        self._processes = processes
        self._kinship = Kinship()
        self._commands: OrderedDict[Process, tuple[str, ...]] = OrderedDict()
        self._actors: OrderedDict[str, Actor] = OrderedDict()
        self._threads: dict[int, tuple[float, Actor | None]] = {}
        self._look_at = ACTORS_AT_FIRST

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._actors)

    def actor(self, thread: int) -> Actor | None:
        """Who is behind a request; None for the kernel and for processes that cannot be seen."""
        now = time.monotonic()
        known = self._threads.get(thread)
        if known is not None and now - known[0] < THREAD_SECONDS:
            return known[1]
        if len(self._threads) > ACTORS_REMEMBERED:
            self._threads.clear()
        actor = self._identify(thread) if thread else None
        self._threads[thread] = now, actor
        return actor

    def writer(self, thread: int) -> Actor | None:
        """Who is behind a request that changes a draft."""
        return self.actor(thread)

    def written(self, actor: Actor, process: Process, *, moment: int | None = None, by_content: bool) -> Written:
        """A write of a process. moment: when, if not now. by_content: it wrote bytes, and not only names."""
        at = self.moment if moment is None else moment
        if not actor.is_readable:
            return Written(at, (), ())
        command = () if _is_script(actor.command) else self._command(process)
        counted = self._kinship.counted(process, by_content=by_content)
        processes = (*self._kinship.forked_from(process), process)
        return Written(at, [actor.own] if actor.run is not None else counted, processes, command)

    def notice_writer(self, process: Process) -> None:
        """A process begins to write a file."""
        self._kinship.notice_writer(process)

    def read(self, thread: int, version_id: int) -> None:
        """A file of a version was opened for reading."""
        if (reads := self._reader(thread)) is not None:
            self.moment += 1
            reads.read(version_id, self.moment)

    def read_copy(self, thread: int, draft: bytes, version: str) -> None:
        """A file of a working copy was opened, and not to be written anew, while it had a version's content."""
        if (reads := self._reader(thread)) is not None:
            self.moment += 1
            reads.read_copy(draft, version, self.moment)

    def of_run(self, uuid: str) -> list[Actor]:
        """Those who belong to a run."""
        return [actor for actor in self._actors.values() if actor.run == uuid]

    def _reader(self, thread: int) -> Reads | None:
        actor, process = self.actor(thread), self._processes.of(thread)
        if actor is None or process is None or not actor.is_readable:
            return None
        return actor.own if actor.run is not None else self._kinship.reader(process)

    def _identify(self, thread: int) -> Actor | None:
        try:
            return self._seen(thread)
        except OSError:  # it may not be looked at, or no descriptor is free for that: no request fails for it
            return None

    def _seen(self, thread: int) -> Actor | None:
        process = self._processes.of(thread)
        if process is None or process.started is None:
            return None
        run = environment_variable(process.pid, RUN_VARIABLE)
        group = process_group(process.pid)
        key = f"run:{run}" if run else f"group:{group}:{start_time(group) if group else None}"
        actor = self._actors.get(key)
        if actor is None:
            leader = command_line(group) if group else ()
            command = leader if _is_script(leader) else command_line(process.pid)
            if len(self._actors) >= self._look_at:
                self._forget_ended()
            is_readable = may_be_looked_into(process.pid)
            actor = Actor(key, time.time_ns() // 1000, command, run, (process.pid, process.started), group, is_readable)
            self._actors[key] = actor
            if len(self._actors) > ACTORS_REMEMBERED:
                self._actors.popitem(last=False)
        self._actors.move_to_end(key)
        return actor

    def _command(self, process: Process) -> tuple[str, ...]:
        """The command of a process: what a shell starts says it only when it has called exec, and not when it ends."""
        with suppress(OSError):
            if found := command_line(process.pid):
                self._commands[process] = found
                self._commands.move_to_end(process)
                if len(self._commands) > ACTORS_REMEMBERED:
                    self._commands.popitem(last=False)
        return self._commands.get(process, ())

    def _forget_ended(self) -> None:
        """Forgets who cannot act any more: drafts know who wrote them, and `artfs exec` says itself that it ends."""
        for key, actor in list(self._actors.items()):
            if actor.run is None and has_ended(actor.group):
                del self._actors[key]
        self._kinship.forget_ended()
        self._threads.clear()
        self._look_at = max(ACTORS_AT_FIRST, 2 * len(self._actors))


def has_ended(group: int | None) -> bool:
    """Whether a process group is certain to have nobody in it."""
    if not group:
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    return False


def _is_script(command: Sequence[str]) -> bool:
    """Whether a shell runs a file: then that is the program, and not the commands in it."""
    return bool(command) and os.path.basename(command[0]) in _SHELLS and title(command) not in _SHELLS
