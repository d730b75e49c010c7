"""The daemon's life: it mounts, answers until it is unmounted, and ends.

It unmounts only when somebody asks: umount(8) and `fusermount3 -u` (the kernel has done it then), SIGTERM, SIGINT.
Whatever else ends it leaves the mount, which answers ENOTCONN from then on, and no program takes it for an empty
directory: so an end that nobody asked for is one without unmounting, at once, with a code other than 0. Until the mount
is announced nobody relies on it, and it is taken away again.
"""

from __future__ import annotations

import errno
import functools
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pyfuse3
import trio

from artfs.errors import ArtfsError, MountError
from artfs.linux.mounts import Mounted, is_left, mounted_at
from artfs.transfers.pending import told
from artfs.transfers.worker import Worker
from artfs.workspace.workspace import Workspace
from artfs_mount import leaving, mountpoint, tuning
from artfs_mount.fuse.inodes import Inodes
from artfs_mount.fuse.operations import Operations
from artfs_mount.incoming import area as areas
from artfs_mount.incoming import control
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.commit import DraftCommit
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.observed import Observer
from artfs_mount.incoming.recovery import recover
from artfs_mount.loop.room import Room
from artfs_mount.loop.supervisor import Supervisor, Work
from artfs_mount.loop.threads import in_thread
from artfs_mount.sealer import Sealer
from artfs_mount.status import Status
from artfs_mount.tree.tree import MountTree

log = logging.getLogger(__name__)

REQUESTS_AT_ONCE = 4096
"""A request that waits costs a task and holds up nobody, however many wait."""
OWED_SECONDS = 60.0
"""So long, the end of the daemon waits for what is owed to stores."""

UNMOUNTING_SECONDS = 2.0
"""`umount -f` cuts the connection first and unmounts then. Where the mount is there for longer, it was only cut."""


@dataclass(frozen=True)
class MountOptions:
    """How to mount. mount_point: an empty directory, without links in its path (mountpoint.prepare)."""

    mount_point: Path
    allow_other: bool = False


def serve(workspace: Workspace, area: areas.Area, options: MountOptions, ready: Callable[[], None]) -> None:
    """Mounts, answers until it is unmounted, and cleans up. `ready` is called once the mount answers.

    Raises MountError when the mount cannot be made. Does not return when the daemon ends unasked after that.
    """
    os.umask(0)  # the kernel has applied the caller's umask already
    clean = bool(areas.mount_facts(area.path).get("clean", True))
    home = workspace.home
    facts = {
        "mount_point": str(options.mount_point),
        "home": str(home.path),
        "started": time.time(),
        "read_only": None if home.is_writable else f"the home {home.path} can only be read, so there is no /incoming",
    }
    area.write_mount({**facts, "pid": os.getpid(), "clean": False})
    incoming = Incoming(workspace, area)
    recover(incoming, clean=clean)
    try:
        trio.run(_main, incoming, options, facts, ready)
    except BaseExceptionGroup as group:  # what a nursery wraps whatever ends it in
        raise _first(group) from group


async def _main(incoming: Incoming, options: MountOptions, facts: dict[str, object], ready: Callable[[], None]) -> None:
    asked = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as background:
            status = Status(facts)
            supervisor = Supervisor(background, status)
            room = Room(incoming)
            sealer = Sealer(incoming, functools.partial(DraftCommit, incoming, options.mount_point), supervisor, room)
            status.on(errno.ENOSPC, room.ran_out)
            status.add_section("room", lambda _: room.told())
            operations = _operations(incoming, sealer, status, supervisor)
            _mount(operations, options)
            gc.freeze()
            try:
                supervisor.keep(Work.SIGNALS, _obey, signals, asked)
                supervisor.keep(Work.WATCH, sealer.watch)
                supervisor.keep(Work.WRITERS, sealer.watch_writers)
                supervisor.keep(Work.ROOM, room.watch)
                supervisor.keep(Work.TRANSFER, _bring_what_is_owed, incoming.workspace.transfers)
                mount = await in_thread(mounted_at, options.mount_point)
                await supervisor.attempt(Work.TUNE, _tune, mount)
                ready()
            except BaseException:
                pyfuse3.close()
                raise
            await _answer(mount, asked)
            incoming.keep_holds()
            background.cancel_scope.cancel()
            pyfuse3.close()
        # One more signal may end the process as soon as nobody receives it here.
        _write_clean_end(incoming.area, facts)
        await _finish_what_is_owed(incoming.workspace.transfers)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _operations(incoming: Incoming, sealer: Sealer, status: Status, supervisor: Supervisor) -> Operations:
    observer = Observer(incoming.drafts.processes)
    incoming.drafts.actor_of = observer.writer
    incoming.drafts.observer = observer
    own = Caller(os.geteuid(), os.getegid(), os.getpid())
    tree = MountTree(incoming.workspace, lambda: status.text(own), loop_thread=threading.get_ident())
    inodes = Inodes(tree, incoming, status.text)
    operations = Operations(inodes, sealer, status, observer, supervisor)
    status.add_section("background", lambda caller: supervisor.failures(with_reasons=caller.is_trusted))
    status.add_section("places", lambda caller: incoming.workspace.blobs.places.status(with_names=caller.is_trusted))
    status.add_section("drafts", lambda caller: control.as_json(sealer.visible(caller)))
    status.add_section("open_files", lambda _: len(operations.handles))
    status.add_section("known_files", lambda _: len(incoming.nodes))
    return operations


def _mount(operations: Operations, options: MountOptions) -> None:
    wanted = {"default_permissions", "fsname=artfs", "subtype=artfs", "nosuid", "nodev"}
    if not operations.incoming.workspace.home.is_writable:
        wanted.add("ro")
    if options.allow_other:
        wanted.add("allow_other")
    mountpoint.take_over(options.mount_point)
    try:
        pyfuse3.init(operations, str(options.mount_point), wanted)
    except RuntimeError as error:
        raise MountError(f"{options.mount_point}: {error}; 'artfs doctor' looks for the reason") from error


async def _tune(mount: Mounted | None) -> None:
    if mount is not None:
        log.info("mounted at %s; tuned: %s", mount.path, await in_thread(tuning.tune, mount.device))


async def _bring_what_is_owed(worker: Worker) -> None:
    try:
        await in_thread(worker.run, seconds=None)
    except trio.Cancelled:
        worker.stop()
        raise


async def _finish_what_is_owed(worker: Worker) -> None:
    """Waits a little for it. Nobody else is kept waiting: the mount has gone."""
    try:
        left = await in_thread(worker.wait, OWED_SECONDS, seconds=None)
    except (ArtfsError, OSError) as error:
        log.warning("what is owed could not be brought: %s", error)
        return
    if left:
        log.warning("%s", told(left))


async def _answer(mount: Mounted | None, asked: trio.Event) -> None:
    """Answers requests until the mount is to go. Any other end is the process's: see above."""
    try:
        await pyfuse3.main(max_tasks=REQUESTS_AT_ONCE)
        if asked.is_set() or mount is None or not await in_thread(is_left, mount, UNMOUNTING_SECONDS):
            return
    except BaseException as error:
        if asked.is_set():
            log.exception("answering the last requests failed")
            return
        leaving.die("the daemon failed", error)
    leaving.die("the connection to the kernel was cut, though nobody unmounted")


async def _obey(signals: AsyncIterator[int], asked: trio.Event) -> None:
    """Unmounts when a signal says so. The one that a terminal sends when it closes does not."""
    async for number in signals:
        _heard(signal.Signals(number), asked)


def _heard(number: signal.Signals, asked: trio.Event) -> None:
    if number is signal.SIGHUP:
        log.info("%s: ignored; 'artfs umount' unmounts", number.name)
        return
    log.info("%s: unmounting", number.name)
    asked.set()
    pyfuse3.terminate()


def _write_clean_end(area: areas.Area, facts: dict[str, object]) -> None:
    try:
        area.write_mount({**facts, "pid": None, "clean": True})
    except OSError as error:
        log.warning("the next start will take this end for a crash, and hold drafts that are no versions: %s", error)
