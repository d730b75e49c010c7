"""Observed lineage: what a program read from the mount becomes the inputs of what it wrote to `/incoming`.

Nobody declares anything. Who acts is known by a key that a program's workers share: the run that `artfs exec` put
into their environment, else the process group (a shell gives each command one, and data loader workers stay in their
parent's).

An open names an inode, and that says which version is meant, also where others hold an equal file.
"""

from __future__ import annotations

import os
import socket
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from artfs import users
from artfs.catalog.catalog import Catalog
from artfs.catalog.runs import Run
from artfs.catalog.versions import Version
from artfs.content.digest import tagged
from artfs.enums import ExecutionStatus
from artfs.names import check_artifact_name
from artfs.processes import command_line, environment_variable, is_kernel_thread, process_group, process_of, start_time
from artfs.redaction import redacted_command
from artfs.runs import RUN_VARIABLE, title

OBSERVED = "observed"
"""The kind of runs that nobody has declared."""

ACTORS_REMEMBERED = 2_000
ACTORS_AT_FIRST = 64
"""Those that have ended are looked for at so many, then when there are twice as many as were left."""
VERSIONS_REMEMBERED = 100_000
"""Of one actor. Beyond, the versions read longest ago are forgotten."""
THREAD_SECONDS = 2.0
"""For how long a thread's number is believed to be the same thread's."""

_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}


@dataclass
class Actor:
    """Programs that count as one. key: what they share. since_us: when the first was seen. command: of the shell script
    that they are, else of the first that wrote.

    run: uuid of the run that `artfs exec` has begun for it. process: the first process seen, with its start time.
    group: their process group. versions: row ids of those that were read, the one read last at the end.
    """

    key: str
    since_us: int
    command: tuple[str, ...]
    run: str | None
    process: tuple[int, int]
    group: int | None = None
    versions: OrderedDict[int, None] = field(default_factory=OrderedDict)
    has_written: bool = False


class Observer:
    """Remembers who read what. Only the event loop's thread uses it, but for `inputs`."""

    def __init__(self) -> None:
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
                process = process_of(thread)
                if process is not None and not _is_script(actor.command):
                    actor.command = command_line(process) or actor.command
        return actor

    def read(self, thread: int, version_id: int) -> None:
        """A file of a version was opened for reading."""
        actor = self.actor(thread)
        if actor is not None:
            actor.versions[version_id] = None
            actor.versions.move_to_end(version_id)
            if len(actor.versions) > VERSIONS_REMEMBERED:
                actor.versions.popitem(last=False)

    def of_run(self, uuid: str) -> list[Actor]:
        """Those who belong to a run."""
        return [actor for actor in self._actors.values() if actor.run == uuid]

    def _identify(self, thread: int) -> Actor | None:
        try:
            return self._seen(thread)
        except OSError:  # it may not be looked at, or no descriptor is free for that: no request fails for it
            return None

    def _seen(self, thread: int) -> Actor | None:
        process = None if is_kernel_thread(thread) else process_of(thread)
        started = start_time(process) if process is not None else None
        if process is None or started is None:
            return None
        run = environment_variable(process, RUN_VARIABLE)
        group = process_group(process)
        key = f"run:{run}" if run else f"group:{group}:{start_time(group) if group else None}"
        actor = self._actors.get(key)
        if actor is None:
            leader = command_line(group) if group else ()
            command = leader if _is_script(leader) else command_line(process)
            if len(self._actors) >= self._look_at:
                self._forget_ended()
            actor = Actor(key, time.time_ns() // 1000, command, run, (process, started), group)
            self._actors[key] = actor
            if len(self._actors) > ACTORS_REMEMBERED:
                self._actors.popitem(last=False)
        self._actors.move_to_end(key)
        return actor

    def _forget_ended(self) -> None:
        """Forgets who cannot act any more: drafts know who wrote them, and `artfs exec` says itself that it ends."""
        for key, actor in list(self._actors.items()):
            if actor.run is None and _has_ended(actor.group):
                del self._actors[key]
        self._threads.clear()
        self._look_at = max(ACTORS_AT_FIRST, 2 * len(self._actors))


def _has_ended(group: int | None) -> bool:
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


def inputs(catalog: Catalog, actors: Iterable[Actor], before: int) -> Sequence[Version]:
    """The versions that actors read, oldest first. before: id of what they made; a version is no input of an older one.

    For a worker thread: asks the catalog for every version.
    """
    read = {version_id for actor in actors for version_id in list(actor.versions) if version_id < before}
    return catalog.versions.by_ids(read)


def record_reads(catalog: Catalog, uuid: str, actors: Sequence[Actor]) -> None:
    """Writes down what a run of `artfs exec` read if it made nothing: what it made has said so already."""
    run = catalog.runs.by_uuid(uuid)
    if run is None or catalog.steps.list(run.id):
        return
    own = [actor for actor in actors if (of := _run_of(catalog, actor)) is None or of.id == run.id]
    if actors and not own:
        return  # a program that runs a pipeline has a run already
    with catalog.transaction():
        step = catalog.steps.create(run.id, run.pipeline, started_us=run.started_us)
        for source in inputs(catalog, own, before=2**62):
            catalog.steps.add_input(step.id, f"{source.artifact}@{source.name}", source.id, how="observed")
        catalog.steps.finish(step.id, ExecutionStatus.COMPLETED)


def record(catalog: Catalog, version: Version, actors: Sequence[Actor]) -> None:
    """Writes down which run made a version, and from what. For a worker thread.

    The run is the one that `artfs exec` or a pipeline in the same process has begun; else one is made for the actor,
    if it has read any version. Each version gets a step of its own: what a step reads must be older than what it
    makes.
    """
    sources = inputs(catalog, actors, version.id)
    for actor in actors:
        run = _run_of(catalog, actor)
        if run is None and not sources:
            continue
        with catalog.transaction():
            run = run or _new_run(catalog, actor)
            started_us = max(run.started_us, actor.since_us)
            step = catalog.steps.create(run.id, _free_name(catalog, run, version.artifact), started_us=started_us)
            for source in sources:
                catalog.steps.add_input(step.id, f"{source.artifact}@{source.name}", source.id, how="observed")
            catalog.steps.add_output(step.id, version.artifact, version.id)
            catalog.steps.finish(step.id, ExecutionStatus.COMPLETED)
            if run.kind == OBSERVED:
                catalog.runs.finish(run.id, ExecutionStatus.COMPLETED)
        return


def _run_of(catalog: Catalog, actor: Actor) -> Run | None:
    """The run of the pipeline that the actor's process has begun; else that of `artfs exec`.

    The pipeline may have ended: what a program writes becomes a version some time later.
    """
    process, started = actor.process
    found = catalog.runs.of_process(socket.gethostname(), process, str(started))
    return found if found is not None or actor.run is None else catalog.runs.by_uuid(actor.run)


def _new_run(catalog: Catalog, actor: Actor) -> Run:
    """The run of an actor that nobody has begun one for. Its uuid follows from the actor, so that it is found again."""
    process, started = actor.process
    uuid = str(UUID(bytes=tagged(b"artfs.actor", actor.key.encode(), f"{process} {started}".encode())[:16], version=4))
    found = catalog.runs.by_uuid(uuid)
    if found is not None:
        return found
    name = title(actor.command)
    moment = datetime.now(UTC).strftime("%Y_%m_%d-%H_%M_%S_%f")
    return catalog.runs.create(
        check_artifact_name(name),
        f"{name}-{moment}",
        kind=OBSERVED,
        uuid=uuid,
        user_id=catalog.users.ensure(users.name_of(os.geteuid())).id,
        config={"command": redacted_command(actor.command)},
        host=socket.gethostname(),
        pid=process,
        process_started=str(started),
        started_us=actor.since_us,
    )


def _free_name(catalog: Catalog, run: Run, name: str) -> str:
    taken = {step.name for step in catalog.steps.list(run.id)}
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
