"""The sealer: decides when which draft becomes a version, and has the steps of that done (incoming/commit.py).

It knows when to look at a draft again, how many of a user's drafts are under way at once, who waits for what and for
how long, and which step belongs on a worker thread. What a step does it does not know.
"""

from __future__ import annotations

import errno
import itertools
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import trio

from artfs.artifacts.seal import Scanned
from artfs.catalog.versions import Version
from artfs.errors import ArtfsError, Cancelled, DraftHeld, StoreError
from artfs_mount import tuning
from artfs_mount.incoming import area as areas
from artfs_mount.incoming import control
from artfs_mount.incoming.agenda import Agenda
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.commit import DraftCommit, MadeVersion, Request
from artfs_mount.incoming.complete.events import DraftPath
from artfs_mount.incoming.complete.rule import Check, Decision, Hold, Seal, Wait
from artfs_mount.incoming.drafts import Draft
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.looks import NothingInIt, Unfit
from artfs_mount.incoming.selection import Part
from artfs_mount.loop.room import Room
from artfs_mount.loop.supervisor import Supervisor, Work
from artfs_mount.loop.threads import ThreadPlaces, in_thread
from artfs_mount.onlooker import Onlooker

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.1
"""Drafts are looked at no more often than this, however often they change."""
TROUBLE_SECONDS = 5.0
"""After so long a draft that could not be looked at, or had no catalog to go to, is looked at again, and so is a store
that was away."""
SEALS_AT_ONCE = 2
"""Of each user, so that nobody's huge drafts keep those of others from becoming versions."""
RECORDED_AT_ONCE = 2
"""A catalog takes one change at a time; and were it away, no more threads than these would wait for it."""
CHANGING_SECONDS = 5.0
CHANGING_ATTEMPTS = 3
"""So long, and so often at least, somebody's commit looks at a draft anew that changes while it is looked at."""

RECORDING = "it is a version; where it comes from is being written down"


class Sealer:
    """Watches the drafts and seals each when it is complete, or when somebody asks.

    begin: makes of a draft and a request what does the work. room: told when there may be less of it.
    """

    def __init__(
        self, incoming: Incoming, begin: Callable[[Draft, Request], DraftCommit], supervisor: Supervisor, room: Room
    ) -> None:
        self._incoming = incoming
        self._begin = begin
        self._supervisor = supervisor
        self._room = room
        self._wake = trio.Event()
        self._settled = trio.Event()
        self._store_wanted = trio.Event()
        self._store_looked_for = trio.Event()
        self._locks: dict[bytes, trio.Lock] = {}
        self._busy: dict[bytes, trio.Event] = {}
        self._onlooker = Onlooker(incoming, supervisor, self._changed)
        self._under_way: set[DraftCommit] = set()
        self._limits: defaultdict[int, trio.Semaphore] = defaultdict(lambda: trio.Semaphore(SEALS_AT_ONCE))
        self._records = ThreadPlaces(RECORDED_AT_ONCE)
        self._agenda = Agenda()
        for draft in incoming.drafts:
            self._agenda.put(draft.name, 0.0)
        incoming.drafts.on_change = self._changed

    @property
    def any_busy(self) -> bool:
        """Whether any draft must not be changed just now."""
        return bool(self._busy or self._incoming.drafts.stuck)

    async def until_free(self, *drafts: bytes | None) -> None:
        """Waits until drafts may be changed. Raises OSError (EIO) for one that must not be before the next mount."""
        while busy := [self._busy[draft] for draft in drafts if draft in self._busy]:
            await busy[0].wait()
        for draft in drafts:
            if draft in self._incoming.drafts.stuck:
                raise OSError(errno.EIO, self._incoming.drafts.stuck[draft])

    async def keep_before_loss(self, place: DraftPath) -> bool:
        """Keeps the complete units that are about to lose what is at a place; returns whether there were any."""
        return await self._onlooker.keep_before_loss(place)

    async def watch(self) -> None:
        """Seals complete drafts, for as long as the daemon lives."""
        while True:
            self._wake = trio.Event()
            pause = self._look()
            if pause == math.inf:
                tuning.give_memory_back()
            with trio.move_on_after(pause):
                await self._wake.wait()
            await trio.sleep(LOOK_AGAIN_SECONDS)

    async def watch_writers(self) -> None:
        """Has the drafts looked at again whose writers have ended, for as long as the daemon lives."""
        while True:
            await trio.lowlevel.wait_readable(self._incoming.drafts.processes.fileno())
            self._incoming.drafts.look_for_ends()
            await trio.sleep(LOOK_AGAIN_SECONDS)

    async def seal(self, name: bytes, request: Request, *, remove: bool = False) -> Version:
        """Seals a draft now, because somebody asked. Where it comes from is written down when this returns.

        remove: the draft becomes the version and leaves `/incoming`. Raises DraftHeld, and what else keeps it from
        becoming a version; the reason stays with the draft.
        """
        draft = self._incoming.draft(name)
        if (why := self._incoming.drafts.stuck.get(name)) is not None:
            raise DraftHeld(why, subject=name)
        give_up = trio.current_time() + CHANGING_SECONDS
        took = tuple(self._incoming.obstacles(draft))
        try:
            for attempt in itertools.count(1):
                commit = self._begin(draft, request)
                commit.check()
                try:
                    version = await self._seal(commit, remove=remove)
                    draft.took = took
                    return version
                except Cancelled:
                    draft = self._incoming.draft(name)  # which may have been removed and made anew
                    took = tuple(self._incoming.obstacles(draft))
                if attempt >= CHANGING_ATTEMPTS and trio.current_time() > give_up:
                    break
            raise DraftHeld(f"{draft.title}: it goes on changing; commit it when nobody writes to it", subject=name)
        except (ArtfsError, OSError) as error:
            draft.error = _reason(draft, error)
            raise

    async def finish_all(self, waiting: frozenset[int], caller: Caller, run: str | None = None) -> None:
        """Waits until no draft that the caller may write is left that will become a version by itself.

        waiting: processes that do nothing but wait for this; drafts that nobody else writes are sealed at once.
        run: of `artfs exec`, which does not wait for what others are writing.
        """
        if self._incoming.store_trouble is not None:
            self._store_wanted.set()
            await self._store_looked_for.wait()
        while True:
            for draft in filter(self._concerns(caller, run), self._incoming.drafts):
                self._incoming.finishing[draft.name] = waiting
            try:
                if self.sync_answer(caller, waiting, run)["done"]:
                    return
                self._wake.set()
                await self._settled.wait()
            finally:
                self._incoming.finishing.clear()

    async def until_recorded(self) -> None:
        """Waits until it is written down where all versions come from that there are by now."""
        owing = self._owing()
        while owing & self._under_way:
            await self._settled.wait()

    def sync_answer(
        self, caller: Caller, waiting: frozenset[int] = frozenset(), run: str | None = None
    ) -> dict[str, Any]:
        """What `user.artfs.sync` answers to a caller; waiting and run as for `finish_all`."""
        concerns = self._concerns(caller, run)
        recording = {commit.draft.title for commit in self._owing() if concerns(commit.draft)}
        finishing = self._incoming.finishing
        before = dict(finishing)
        mine = filter(concerns, self._incoming.drafts)
        finishing.update(dict.fromkeys((draft.name for draft in mine), waiting))
        try:
            return control.sync_answer(self.orderable(caller, run), dict.fromkeys(sorted(recording), RECORDING))
        finally:
            finishing.clear()
            finishing.update(before)

    def visible(self, caller: Caller) -> list[control.DraftStatus]:
        """The drafts that a caller may read or write, as status.json tells them."""
        return control.statuses(self._incoming, lambda draft: self._incoming.may_look(draft, caller))

    def orderable(self, caller: Caller, run: str | None = None) -> list[control.DraftStatus]:
        """The drafts that a caller may write, or that he waits for when a run has ended."""
        return control.statuses(self._incoming, self._concerns(caller, run))

    def status_of(self, name: bytes) -> control.DraftStatus:
        """One draft."""
        return control.status_of(self._incoming, self._incoming.draft(name))

    def _concerns(self, caller: Caller, run: str | None) -> Callable[[Draft], bool]:
        """Which drafts somebody waits for: those that he may write; for a run only if nobody else is writing them."""
        incoming = self._incoming
        return lambda draft: (
            incoming.may_order(draft, caller) and (run is None or not incoming.is_written_beside(run, draft))
        )

    def _owing(self) -> set[DraftCommit]:
        return {commit for commit in self._under_way if commit.owes_lineage}

    def _changed(self, name: bytes) -> None:
        self._agenda.put(name, 0.0)
        self._room.changed(name)
        self._wake.set()

    def _look(self) -> float:
        """Starts what is complete; returns after how many seconds something else may be."""
        for name in self._incoming.finishing:
            self._agenda.put(name, 0.0)
        now = self._incoming.drafts.clock()
        while (first := self._agenda.next()) is not None and first[0] <= now:
            self._look_closer(first[1])
            # It is taken off only now that it has been looked at: what fails is looked at again.
            self._plan(first[1], self._decide(first[1]), now)
        self._settle()
        return first[0] - now if first is not None else math.inf

    def _decide(self, name: bytes) -> Decision | None:
        draft = self._incoming.drafts.get(name)
        return self._incoming.decision(draft) if draft is not None else None

    def _plan(self, name: bytes, decision: Decision | None, now: float) -> None:
        """Seals a draft now, or says when to look at it again; if that is not said, when it changes."""
        self._agenda.drop(name)
        draft = self._incoming.drafts.get(name)
        if draft is None:
            return
        match decision:
            case Seal() if name not in self._locks:
                self._locks[name] = trio.Lock()
                self._supervisor.start(Work.SEAL, self._seal_quietly, draft, decision)
            case Check(paths) if name not in self._locks:
                self._onlooker.check(draft, paths)
            case Wait(_, seconds) if seconds is not None:
                self._agenda.put(name, now + seconds)
            case Hold() if draft.held is None:  # the disk or the catalog is to blame, and may be well again
                self._agenda.put(name, now + TROUBLE_SECONDS)

    async def _seal_quietly(self, draft: Draft, decision: Seal) -> None:
        """Seals a complete draft. What keeps it from becoming a version is kept with it until it changes.

        Not so while the store is away: nothing is wrong with the draft.
        """
        commit = self._begin(draft, Request(sealed_by=decision.by))
        try:
            await self._seal(commit, remove=False, by_itself=True)
        except trio.Cancelled:
            raise
        except Unfit as error:
            self._onlooker.tell(draft, commit.give_up_pins(error.looks))
        except NothingInIt as error:
            if (why := self._incoming.why_held(draft)) is not None:
                self._incoming.drafts.hold(draft, why)
            else:
                draft.idle = str(error)
        except Cancelled:
            pass  # it goes on changing; quiet will come again
        except (ArtfsError, OSError) as error:
            if self._incoming.store_trouble is None or not isinstance(error, StoreError):
                self._incoming.drafts.hold(draft, _reason(draft, error))
                log.info("draft %s is held: %s", draft.title, error)
        except BaseException as error:
            why = f"{draft.title}: sealing failed unexpectedly ({error}); see the daemon's log"
            self._incoming.drafts.hold(draft, why)
            raise
        finally:
            self._changed(draft.name)

    async def _seal(self, commit: DraftCommit, *, remove: bool, by_itself: bool = False) -> Version:
        """Raises Cancelled when the draft was changed, removed or opened for writing meanwhile, whatever came of it.

        by_itself: nobody asked for it. So it must still be complete when its turn comes; and once it has begun to make
        the version, no end of the daemon cuts it short, which ends when all requests are answered, or else at once.
        """
        name = commit.draft.name
        lock = self._locks.setdefault(name, trio.Lock())
        self._under_way.add(commit)
        try:
            try:
                async with lock, self._limits[self._incoming.owner(name)]:
                    if by_itself:
                        commit.request = self._request(commit.draft)
                    made = await self._make(commit, remove=remove, to_the_end=by_itself)
            finally:
                if self._locks.get(name) is lock and not lock.locked():
                    del self._locks[name]
                self._changed(name)
            # The draft is free, and so is the place among those of its user: nobody waits for what comes now.
            self._room.sealed(commit.draft, made.version)
            if commit.owes_lineage:
                with trio.CancelScope(shield=by_itself):
                    await self._supervisor.attempt(Work.RECORD, self._record, commit, made)
        finally:
            self._under_way.remove(commit)
            self._settle()
        return made.version

    def _request(self, draft: Draft) -> Request:
        """What is complete of a draft by now. Raises Cancelled if nothing is any more."""
        decision = self._incoming.decision(draft)
        if not isinstance(decision, Seal):
            raise Cancelled(f"{draft.title}: it is not complete any more", subject=draft.name)
        kept = {unit: self._incoming.drafts.pins.of(draft.name, unit) for unit in decision.pinned}
        pinned = {unit: each.path for unit, each in kept.items() if each is not None}
        tags = (decision.child.decode(),) if decision.child else ()
        part = Part(decision.leave_out, pinned, child=decision.child, world_size=decision.world_size)
        return Request(tags=tags, sealed_by=decision.by, part=part)

    def _look_closer(self, name: bytes) -> None:
        """Keeps what is complete in a draft, and reads what says so, while that may be gone a moment later."""
        draft = self._incoming.drafts.get(name)
        if draft is not None and name not in self._busy:
            self._onlooker.keep(draft)

    async def _make(self, commit: DraftCommit, *, remove: bool, to_the_end: bool) -> MadeVersion:
        commit.look()
        try:
            content = await self._snapshot(commit)
            commit.decide()
            with self._nobody_changes(commit.draft), trio.CancelScope(shield=to_the_end):
                made = await self._commit(commit, content)
                with closing(commit.give_back(made)) as batches:
                    for _ in batches:
                        await trio.lowlevel.checkpoint()
                await in_thread(commit.protect, made, seconds=None)
                commit.free(made)
                if remove:
                    # Whoever moved it waits with all of /incoming locked by the kernel: not for this, too.
                    self._supervisor.start(Work.DELETE, _delete_on_thread, commit.detach())
        except (ArtfsError, OSError) as error:
            if isinstance(error, StoreError):
                await self._look_for_store()
            commit.check_still(error)
            raise
        log.info("draft %s is version %s", commit.draft.title, made.version.name)
        return made

    async def _snapshot(self, commit: DraftCommit) -> Scanned:
        try:
            return await in_thread(commit.snapshot, seconds=None)
        except BaseException:
            commit.cancel()  # the thread goes on when the daemon ends
            raise

    async def _commit(self, commit: DraftCommit, content: Scanned) -> MadeVersion:
        try:
            return await in_thread(commit.commit, content, seconds=None)
        except BaseException:
            commit.abandon()
            raise

    async def _look_for_store(self) -> None:
        """Lets all drafts wait for the store, if it is away."""
        trouble = await in_thread(self._incoming.look_for_store, seconds=None)
        if trouble is not None and self._incoming.store_trouble is None:
            log.info("no draft becomes a version by itself for now: %s", trouble)
            self._incoming.store_trouble = trouble
            self._supervisor.keep(Work.AWAIT_STORE, self._await_store)

    async def _await_store(self) -> None:
        """Looks for the store, now and then and when somebody waits for it, until it is there again."""
        while self._incoming.store_trouble is not None:
            with trio.move_on_after(TROUBLE_SECONDS):
                await self._store_wanted.wait()
            self._store_wanted = trio.Event()
            self._incoming.store_trouble = await in_thread(self._incoming.look_for_store, seconds=None)
            looked, self._store_looked_for = self._store_looked_for, trio.Event()
            looked.set()
        log.info("the store is there again")
        for draft in self._incoming.drafts:
            self._changed(draft.name)

    async def _record(self, commit: DraftCommit, made: MadeVersion) -> None:
        """Writes down where a version comes from. It exists whatever becomes of this."""
        try:
            await self._records.call(commit.record, made, seconds=None)
        except (ArtfsError, OSError) as error:
            log.warning("the lineage of %s/%s was not recorded: %s", made.version.artifact, made.version.name, error)

    @contextmanager
    def _nobody_changes(self, draft: Draft) -> Iterator[None]:
        busy = self._busy[draft.name] = trio.Event()
        try:
            yield
        finally:
            del self._busy[draft.name]
            busy.set()

    def _settle(self) -> None:
        settled, self._settled = self._settled, trio.Event()
        settled.set()


def _reason(draft: Draft, error: Exception) -> str:
    """Why a draft did not become a version, as a line for people."""
    if isinstance(error, OSError) and not isinstance(error, ArtfsError):
        return f"{draft.title}: {error.strerror or error}; put that right, then commit it (artfs commit)"
    return str(error)


async def _delete_on_thread(path: bytes) -> None:
    await in_thread(_delete, path, seconds=None)


def _delete(path: bytes) -> None:
    """Deletes what has been a draft. What cannot be deleted now is deleted at the next start."""
    try:
        areas.remove(path)
    except OSError as error:
        log.warning("%r cannot be deleted: %s", path, error)
