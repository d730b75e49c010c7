"""Who read what from the mount: a program's reads become the inputs of what it writes to `/incoming` (lineage.py).

Nobody declares anything. Who acts is known by a key that a program's workers share: the run that `artfs exec` put
into their environment, else the process group (a shell gives each command one, and data loader workers stay in their
parent's).

An open names an inode, and that says which version is meant, also where others hold an equal file.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from artfs.linux.processes import command_line, environment_variable, process_group, start_time
from artfs.runs import RUN_VARIABLE, title
from artfs_mount.incoming.writers import THREAD_SECONDS, Processes

ACTORS_REMEMBERED = 2_000
ACTORS_AT_FIRST = 64
"""Those that have ended are looked for at so many, then when there are twice as many as were left."""
VERSIONS_REMEMBERED = 100_000
"""Of one actor. Beyond, the versions read longest ago are forgotten."""

_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}


@dataclass
class Actor:
    """Programs that count as one. key: what they share. since_us: when the first was seen. command: of the shell script
    that they are, else of the first that wrote.

    run: uuid of the run that `artfs exec` has begun for it. process: the first process seen, with its start time.
    group: their process group. reads: how often they opened a version. versions: row ids of those that were read, the
    one read last at the end, each with the number of its first read.
    """

    key: str
    since_us: int
    command: tuple[str, ...]
    run: str | None
    process: tuple[int, int]
    group: int | None = None
    reads: int = 0
    versions: OrderedDict[int, int] = field(default_factory=OrderedDict)
    has_written: bool = False

    def read(self, version_id: int) -> None:
        """Takes note of a version that was opened for reading."""
        self.reads += 1
        self.versions.setdefault(version_id, self.reads)
        self.versions.move_to_end(version_id)
        if len(self.versions) > VERSIONS_REMEMBERED:
            self.versions.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody who changed a draft, and how many reads he had behind him then: what he reads later is no input."""

    actor: Actor
    reads: int

    @classmethod
    def now(cls, actor: Actor) -> Author:
        """Somebody who changes a draft at this moment."""
        return cls(actor, actor.reads)

    def inputs(self, before: int) -> set[int]:
        """Row ids of what he had read. before: that of what he made; a version is no input of an older one.

        For any thread, also while he reads on.
        """
        return {id_ for id_, read in list(self.actor.versions.items()) if id_ < before and read <= self.reads}


class Observer:
    """Remembers who read what. Only the event loop's thread uses it, but for `Author.inputs`."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
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
        actor = self.actor(thread)
        if actor is not None and not actor.has_written:
            actor.has_written = True
            with suppress(OSError):  # then it keeps the command of the first that was seen
                process = self._processes.of(thread)
                if process is not None and not _is_script(actor.command):
                    actor.command = command_line(process.pid) or actor.command
        return actor

    def read(self, thread: int, version_id: int) -> None:
        """A file of a version was opened for reading."""
        actor = self.actor(thread)
        if actor is not None:
            actor.read(version_id)

    def of_run(self, uuid: str) -> list[Actor]:
        """Those who belong to a run."""
        return [actor for actor in self._actors.values() if actor.run == uuid]

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
            actor = Actor(key, time.time_ns() // 1000, command, run, (process.pid, process.started), group)
            self._actors[key] = actor
            if len(self._actors) > ACTORS_REMEMBERED:
                self._actors.popitem(last=False)
        self._actors.move_to_end(key)
        return actor

    def _forget_ended(self) -> None:
        """Forgets who cannot act any more: drafts know who wrote them, and `artfs exec` says itself that it ends."""
        for key, actor in list(self._actors.items()):
            if actor.run is None and has_ended(actor.group):
                del self._actors[key]
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
