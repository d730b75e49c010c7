"""The sealer: watches the drafts, and makes a version of each that is complete or that somebody asks for."""

from __future__ import annotations

import errno
import functools
import itertools
import logging
import math
from collections import defaultdict

import trio

from artfs.catalog.versions import Version
from artfs.errors import ArtfsError, Cancelled, DraftHeld
from artfs_mount import tuning
from artfs_mount.incoming import area as areas
from artfs_mount.incoming import control
from artfs_mount.incoming.agenda import Agenda
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.complete.completeness import Decision, Hold, Seal, Wait
from artfs_mount.incoming.drafts import Draft
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.lineage import record
from artfs_mount.incoming.observed import Author
from artfs_mount.incoming.sealing import Measurement, Outcome, Request, Sealing
from artfs_mount.supervisor import Supervisor, Work
from artfs_mount.threads import in_thread

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.1
"""Drafts are looked at no more often than this, however often they change."""
TROUBLE_SECONDS = 5.0
"""After so long a draft that could not be looked at, or had no catalog to go to, is looked at again."""
SEALS_AT_ONCE = 2
"""Of each user, so that nobody's huge drafts keep those of others from becoming versions."""
CHANGING_SECONDS = 5.0
CHANGING_ATTEMPTS = 3
"""So long, and so often at least, somebody's commit looks at a draft anew that changes while it is looked at."""
STUBS_AT_ONCE = 256
"""Stubs are put in their places in batches, and requests are answered between them."""


class Sealer:
    """Watches the drafts and seals each when it is complete, or when somebody asks."""

    def __init__(self, incoming: Incoming, sealing: Sealing, supervisor: Supervisor) -> None:
        self._incoming = incoming
        self._sealing = sealing
        self._supervisor = supervisor
        self._wake = trio.Event()
        self._settled = trio.Event()
        self._locks: dict[bytes, trio.Lock] = {}
        self._busy: dict[bytes, trio.Event] = {}
        self._stuck: dict[bytes, str] = {}
        self._limits: defaultdict[int, trio.Semaphore] = defaultdict(lambda: trio.Semaphore(SEALS_AT_ONCE))
        self._agenda = Agenda()
        for draft in incoming.drafts:
            self._agenda.put(draft.name, 0.0)
        incoming.drafts.on_change = self._changed

    @property
    def any_busy(self) -> bool:
        """Whether any draft must not be changed just now."""
        return bool(self._busy or self._stuck)

    async def until_free(self, *drafts: bytes | None) -> None:
        """Waits until drafts may be changed. Raises OSError (EIO) for one that must not be before the next mount."""
        while busy := [self._busy[draft] for draft in drafts if draft in self._busy]:
            await busy[0].wait()
        for draft in drafts:
            if draft in self._stuck:
                raise OSError(errno.EIO, self._stuck[draft])

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

    async def seal(self, name: bytes, request: Request, *, remove: bool = False) -> Outcome:
        """Seals a draft now, because somebody asked. remove: the draft becomes the version and leaves `/incoming`.

        Raises DraftHeld, and what else keeps it from becoming a version; the reason stays with the draft.
        """
        draft = self._incoming.draft(name)
        if name in self._stuck:
            raise DraftHeld(self._stuck[name], subject=name)
        give_up = trio.current_time() + CHANGING_SECONDS
        try:
            for attempt in itertools.count(1):
                self._sealing.check(draft, request)
                try:
                    return await self._seal(draft, request, remove=remove)
                except Cancelled:
                    draft = self._incoming.draft(name)  # which may have been removed and made anew
                if attempt >= CHANGING_ATTEMPTS and trio.current_time() > give_up:
                    break
            raise DraftHeld(f"{draft.title}: it goes on changing; commit it when nobody writes to it", subject=name)
        except (ArtfsError, OSError) as error:
            draft.error = _reason(draft, error)
            raise

    async def finish_all(self, waiting: frozenset[int], caller: Caller) -> None:
        """Waits until no draft that the caller may write is left that will become a version by itself.

        waiting: processes that do nothing but wait for this; drafts that nobody else writes are sealed at once.
        """
        while True:
            for draft in self._incoming.drafts:
                if self._incoming.may_order(draft, caller):
                    self._incoming.finishing[draft.name] = waiting
            try:
                if control.sync_answer(self.orderable(caller))["done"]:
                    return
                self._wake.set()
                await self._settled.wait()
            finally:
                self._incoming.finishing.clear()

    def visible(self, caller: Caller) -> list[control.DraftStatus]:
        """The drafts that a caller may read or write, as status.json tells them."""
        return control.statuses(self._incoming, lambda draft: self._incoming.may_look(draft, caller))

    def orderable(self, caller: Caller) -> list[control.DraftStatus]:
        """The drafts that a caller may write."""
        return control.statuses(self._incoming, lambda draft: self._incoming.may_order(draft, caller))

    def status_of(self, name: bytes) -> control.DraftStatus:
        """One draft."""
        return control.status_of(self._incoming, self._incoming.draft(name))

    def _changed(self, name: bytes) -> None:
        self._agenda.put(name, 0.0)
        self._wake.set()

    def _look(self) -> float:
        """Starts what is complete; returns after how many seconds something else may be."""
        for name in self._incoming.finishing:
            self._agenda.put(name, 0.0)
        now = self._incoming.drafts.clock()
        while (first := self._agenda.next()) is not None and first[0] <= now:
            # It is taken off only now that it has been looked at: what fails is looked at again.
            self._plan(first[1], self._decide(first[1]), now)
        settled, self._settled = self._settled, trio.Event()
        settled.set()
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
                self._supervisor.start(Work.SEAL, self._seal_quietly, draft)
            case Wait(_, seconds) if seconds is not None:
                self._agenda.put(name, now + seconds)
            case Hold() if draft.held is None:  # the disk or the catalog is to blame, and may be well again
                self._agenda.put(name, now + TROUBLE_SECONDS)

    async def _seal_quietly(self, draft: Draft) -> None:
        """Seals a complete draft. What keeps it from becoming a version is kept with it until it changes."""
        try:
            await self._seal(draft, Request(), remove=False, to_the_end=True)
        except trio.Cancelled:
            raise
        except Cancelled:
            pass  # it goes on changing; quiet will come again
        except (ArtfsError, OSError) as error:
            self._incoming.drafts.hold(draft, _reason(draft, error))
            log.info("draft %s is held: %s", draft.title, error)
        except BaseException as error:
            why = f"{draft.title}: sealing failed unexpectedly ({error}); see the daemon's log"
            self._incoming.drafts.hold(draft, why)
            raise
        finally:
            self._changed(draft.name)

    async def _seal(self, draft: Draft, request: Request, *, remove: bool, to_the_end: bool = False) -> Outcome:
        """Raises Cancelled when the draft was changed, removed or opened for writing meanwhile, whatever came of it.

        to_the_end: once it has begun to make the version, no end of the daemon cuts it short. Who asks for a version
        need not say so: the daemon ends when all requests are answered, or else at once.
        """
        lock = self._locks.setdefault(draft.name, trio.Lock())
        try:
            async with lock, self._limits[self._incoming.owner(draft.name)]:
                changes = draft.changes
                try:
                    self._check_still(draft, changes)
                    measurement = await self._measure(draft, changes)
                    return await self._commit(draft, measurement, request, remove=remove, to_the_end=to_the_end)
                except (ArtfsError, OSError):
                    self._check_still(draft, changes)
                    raise
        finally:
            if self._locks.get(draft.name) is lock and not lock.locked():
                del self._locks[draft.name]
            self._changed(draft.name)

    async def _measure(self, draft: Draft, changes: int) -> Measurement:
        cancelled = _Flag()
        try:
            measure = functools.partial(self._sealing.measure, draft, changes, cancelled=cancelled)
            return await in_thread(measure, seconds=float("inf"))
        except BaseException:
            cancelled.set()  # the thread goes on when the daemon ends
            raise

    async def _commit(
        self, draft: Draft, measurement: Measurement, request: Request, *, remove: bool, to_the_end: bool
    ) -> Outcome:
        self._check_still(draft, measurement.changes)
        busy = self._busy[draft.name] = trio.Event()
        try:
            with trio.CancelScope(shield=to_the_end):
                authors = list(draft.authors.values())
                outcome = await self._make(draft, measurement, request)
                await self._finish(draft, outcome)
                if outcome.made:
                    await self._supervisor.attempt(Work.RECORD, self._record, outcome.version, authors)
                if remove:
                    await in_thread(_delete, self._sealing.detach(draft), seconds=None)
        finally:
            del self._busy[draft.name]
            busy.set()
        log.info("draft %s is version %s", draft.title, outcome.version.name)
        return outcome

    async def _make(self, draft: Draft, measurement: Measurement, request: Request) -> Outcome:
        try:
            return await in_thread(self._sealing.commit, draft, measurement, request, seconds=None)
        except BaseException:
            self._incoming.drafts.changed(draft)
            raise

    async def _finish(self, draft: Draft, outcome: Outcome) -> None:
        """Puts the stubs in place. Where that fails, files share bytes with the version, and must not be changed."""
        try:
            for start in range(0, len(outcome.waiting), STUBS_AT_ONCE):
                self._sealing.put(outcome.waiting[start : start + STUBS_AT_ONCE])
                await trio.lowlevel.checkpoint()
        except BaseException as error:
            why = f"{draft.title}: it is version {outcome.version.name}, but can be changed only after the next mount"
            draft.error = self._stuck[draft.name] = f"{why} ({error})"
            raise
        if outcome.made:
            await in_thread(self._sealing.protect, outcome.version, seconds=None)
        self._incoming.drafts.sealed(draft, outcome.version.name)

    async def _record(self, version: Version, authors: list[Author]) -> None:
        """Writes down where a version comes from. It exists whatever becomes of this."""
        try:
            await in_thread(record, self._incoming.workspace.catalog, version, authors, seconds=None)
        except (ArtfsError, OSError) as error:
            log.warning("the lineage of %s/%s was not recorded: %s", version.artifact, version.name, error)

    def _check_still(self, draft: Draft, changes: int) -> None:
        changed = draft.changes != changes or self._incoming.drafts.get(draft.name) is not draft
        if changed or draft.history.open_writers:
            raise Cancelled(f"{draft.title}: it changed while it was looked at", subject=draft.name)


def _reason(draft: Draft, error: Exception) -> str:
    """Why a draft did not become a version, as a line for people."""
    if isinstance(error, OSError) and not isinstance(error, ArtfsError):
        return f"{draft.title}: {error.strerror or error}; put that right, then commit it (artfs commit)"
    return str(error)


def _delete(path: bytes) -> None:
    """Deletes what has been a draft. What cannot be deleted now is deleted at the next start."""
    try:
        areas.remove(path)
    except OSError as error:
        log.warning("%r cannot be deleted: %s", path, error)


class _Flag:
    """Tells a worker thread that nobody waits for its work any more."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def __call__(self) -> bool:
        return self._set
