"""The onlooker: looks at the files of drafts on worker threads, where the rule cannot decide without that.

It keeps the files of units that are complete, reads the files that name such units, and checks formats. What it finds
out becomes events of the draft, which the sealer then looks at again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from os.path import join

from artfs_mount.incoming.complete.events import Checked, DraftPath, Pointed, Stamp
from artfs_mount.incoming.drafts import Draft
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.looks import Look, look_at, read_pointer
from artfs_mount.incoming.pins import KeptUnit
from artfs_mount.loop.supervisor import Supervisor, Work
from artfs_mount.loop.threads import in_thread

log = logging.getLogger(__name__)


class Onlooker:
    """Looks at one thing of a draft at a time. changed: called with the draft's name when something was found out."""

    def __init__(self, incoming: Incoming, supervisor: Supervisor, changed: Callable[[bytes], None]) -> None:
        self._incoming = incoming
        self._supervisor = supervisor
        self._changed = changed
        self._kept: set[bytes] = set()
        self._checked: set[bytes] = set()
        self._failed: dict[tuple[bytes, bytes], int] = {}

    def keep(self, draft: Draft) -> None:
        """Keeps units of a draft that are complete, and reads what names them, if there is anything to do."""
        if self._incoming.drafts.leavings:
            self._supervisor.start(Work.LOOK, self._tidy, self._incoming.drafts.take_leavings())
        if draft.name in self._kept:
            return
        units, pointers = self._incoming.to_pin(draft), draft.history.take_pointers()
        # What could not be kept is not tried again before the draft has changed.
        units = [unit for unit in units if self._failed.get((draft.name, unit)) != draft.changes]
        if units or pointers:
            self._kept.add(draft.name)
            self._supervisor.start(Work.LOOK, self._keep, draft, units, pointers)

    async def keep_before_loss(self, place: DraftPath) -> bool:
        """Keeps the complete units that are about to lose what is at a place; returns whether there were any.

        A framework that rotates may remove what it saved before anybody has looked at the draft.
        """
        draft = self._incoming.drafts.get(place.draft)
        units = [] if draft is None else self._incoming.to_pin_before_loss(draft, place.path)
        for unit in units:
            if draft is not None and self._failed.get((draft.name, unit)) != draft.changes:
                await self._keep_unit(draft, unit)
        return bool(units)

    def check(self, draft: Draft, paths: Sequence[bytes]) -> None:
        """Checks the formats of files of a draft."""
        if draft.name not in self._checked:
            self._checked.add(draft.name)
            self._supervisor.start(Work.LOOK, self._check, draft, paths)

    def tell(self, draft: Draft, looks: Iterable[Look], at: float | None = None) -> None:
        """Says what was found out, at that time or now."""
        stamp = Stamp(self._incoming.drafts.clock() if at is None else at, None)
        for look in looks:
            self._incoming.drafts.tell(draft.name, Checked(look.path, stamp, look.fault, look.proven, look.hint))

    async def _tidy(self, leavings: Sequence[KeptUnit]) -> None:
        """Removes what was kept and is in a version. What cannot be removed now is removed at the next start."""
        for kept in leavings:
            try:
                await in_thread(self._incoming.drafts.pins.remove, kept, seconds=None)
            except OSError as error:
                log.warning("%r cannot be removed: %s", kept.path, error)
            self._incoming.drafts.pins.removed(kept)

    async def _keep(self, draft: Draft, units: Sequence[bytes], pointers: Sequence[bytes]) -> None:
        drafts, path = self._incoming.drafts, self._incoming.path(draft.name)
        try:
            for pointer in pointers:
                target = await in_thread(read_pointer, path, pointer, seconds=None)
                if target is not None:
                    drafts.tell(draft.name, Pointed(pointer, Stamp(drafts.clock(), None), target))
            for unit in units:
                await self._keep_unit(draft, unit)
        except OSError as error:
            log.warning("draft %s: what names the complete parts of it cannot be read: %s", draft.title, error)
        finally:
            self._kept.discard(draft.name)
            self._changed(draft.name)

    async def _keep_unit(self, draft: Draft, unit: bytes) -> None:
        drafts, path = self._incoming.drafts, self._incoming.path(draft.name)
        at, changes = drafts.clock(), draft.changes
        growing = frozenset(join(path, stream) for stream in draft.history.open_in((), unit, streams=True))
        try:
            kept = await in_thread(drafts.pins.make, join(path, unit), growing, seconds=None)
        except OSError as error:
            self._failed[draft.name, unit] = changes
            if not isinstance(error, FileNotFoundError):  # it is being removed: what there is of it is not whole
                log.warning("draft %s: %r, which is complete, could not be kept: %s", draft.title, unit, error)
        else:
            self._failed.pop((draft.name, unit), None)
            drafts.pin(draft, unit, kept, at)

    async def _check(self, draft: Draft, paths: Sequence[bytes]) -> None:
        at = self._incoming.drafts.clock()
        try:
            for path in paths:
                look = await in_thread(look_at, self._incoming.path(draft.name), path, seconds=None)
                self.tell(draft, [look], at)
        except BaseException as error:
            self.tell(draft, map(Look, paths), at)  # nothing is known of them, and not asked again
            if not isinstance(error, OSError):
                raise
            log.warning("draft %s: its format could not be looked at: %s", draft.title, error)
        finally:
            self._checked.discard(draft.name)
            self._changed(draft.name)
