"""Drafts: what is known of each entry of `/incoming`, and what of it survives a kill.

Before the first change to a draft a record is written that says `changed`; before its files are linked into the store
the record says `sealing`; when the version exists and every file is a stub it says `sealed`. So the next start knows
what was in the air. Records need no fsync: they and the changes they announce go through the same file system's
journal in order.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from artfs.content.digest import FileDigest, tagged
from artfs.secrets.redaction import redacted
from artfs.sharing import OWNER, Sharing
from artfs_mount.incoming.complete.events import Arrived, DraftPath, Event, Left, Pinned, Stamp
from artfs_mount.incoming.complete.facts import Pin
from artfs_mount.incoming.complete.history import WRITERS_KEPT, DraftHistory
from artfs_mount.incoming.complete.obstacles import Obstacle
from artfs_mount.incoming.complete.paths import below_of, is_at, is_at_any, joined
from artfs_mount.incoming.complete.process import Process
from artfs_mount.incoming.observed import Actor, Author, Observer
from artfs_mount.incoming.pins import KeptUnit, Pins
from artfs_mount.incoming.writers import Processes, still_alive

log = logging.getLogger(__name__)


class State(StrEnum):
    CHANGED = "changed"
    SEALING = "sealing"
    SEALED = "sealed"


@dataclass(frozen=True)
class Record:
    """What a draft's record on disk says.

    uuid: the version being made, while `sealing`. version: the name of the last version made from the draft.
    held: why it must not seal by itself. partly: the version being made does not have all of it.
    """

    name: bytes
    state: State
    uuid: str | None = None
    version: str | None = None
    held: str | None = None
    partly: bool = False


@dataclass
class Draft:
    """One entry of `/incoming`.

    changes: counts every change, so that whoever looked at the draft can tell whether it still is what it saw.
    idle: why there is nothing to make a version of. partly: see `Record`. uuid: of the version being made, while
    `sealing`. error: why the last attempt to seal failed. history: what happened to it, and authors: who has changed
    it, since it was sealed. took: what the last commit that somebody asked for took although it was held, and why.
    """

    name: bytes
    state: State = State.CHANGED
    changes: int = 0
    uuid: str | None = None
    version: str | None = None
    held: str | None = None
    error: str | None = None
    idle: str | None = None
    partly: bool = False
    history: DraftHistory = field(default_factory=DraftHistory)
    authors: dict[str, Author] = field(default_factory=dict)
    took: tuple[Obstacle, ...] = ()

    @property
    def title(self) -> str:
        """The name as text; bytes that are no UTF-8 show as surrogates."""
        return self.name.decode("utf-8", "surrogateescape")


class Taken(NamedTuple):
    """What a version has of a draft, as it was `at` that time. leave_out: not what is there, nor below.

    pinned: units that are taken as they were pinned. child: only this, which lies directly in the draft.
    """

    at: float
    leave_out: frozenset[bytes]
    pinned: frozenset[bytes]
    child: bytes = b""


class Who(NamedTuple):
    """Who is behind a request: a process (None: the kernel), and the programs that it counts as one with."""

    process: Process | None
    actor: Actor | None


class Drafts:
    """All drafts of an area. `records` is the folder of their records; `clock` gives seconds that only grow.

    digests: of files of any draft that were written from front to back, by inode on disk. A digest is dropped before
    its file is written to again or its inode becomes free, so it is right wherever the file has been moved to.
    stuck: why drafts must not be changed before the next mount, by name. pins: what is kept of their units.
    leavings: what nobody needs any more of that, and a worker thread is to remove.
    """

    def __init__(
        self,
        records: Path,
        clock: Callable[[], float] = time.monotonic,
        sharing: Sharing = OWNER,
        pins: Path | None = None,
    ) -> None:
        self.clock = clock
        self.leavings: list[KeptUnit] = []
        self.pins = Pins(pins if pins is not None else records.with_name("pins"))
        self.on_change: Callable[[bytes], None] = lambda name: None
        self.actor_of: Callable[[int], Actor | None] = lambda _: None
        self.observer: Observer | None = None
        self.digests: dict[int, FileDigest] = {}
        self.processes = Processes()
        self.stuck: dict[bytes, str] = {}
        self._records = records
        self._sharing = sharing
        self._drafts: dict[bytes, Draft] = {}

    def __iter__(self) -> Iterator[Draft]:
        return iter(list(self._drafts.values()))

    def get(self, name: bytes) -> Draft | None:
        return self._drafts.get(name)

    @property
    def moment(self) -> int:
        """What was read until now, as the observer counts."""
        return self.observer.moment if self.observer is not None else 0

    def who(self, thread: int) -> Who:
        """Who is behind a request that changes something; 0 is a thread that this process cannot see."""
        return Who(self.processes.writer(thread), self.actor_of(thread))

    def reader(self, thread: int) -> Who:
        """Who is behind a request that changes nothing: no author of anything."""
        return Who(self.processes.of(thread), None)

    def stamp(self, who: Who) -> Stamp:
        """Says of an event that somebody has done it now."""
        return Stamp(self.clock(), who.process)

    def touch(self, name: bytes, who: Who | None = None) -> Draft:
        """Says that a draft is about to change. Call it before the change, so that a kill in between is noticed.

        Who writes bytes is told by `wrote`, which alone says what the draft comes from but for his own reads.
        """
        draft = self._drafts.get(name)
        if draft is None:
            draft = self._drafts[name] = Draft(name)
            self._write(draft)
        # What is written while a version is made of the rest, such as a log, must not hide that from the next start.
        elif draft.state is not State.SEALING and (draft.state is State.SEALED or draft.held is not None):
            draft.state, draft.held = State.CHANGED, None
            self._write(draft)
        draft.idle = None
        draft.changes += 1
        draft.history.changed_at = self.clock()
        draft.error = None
        if who is not None:
            self._note_author(draft, who, by_content=False)
        self.on_change(name)
        return draft

    def wrote(self, name: bytes, who: Who, moment: int | None = None) -> None:
        """Takes note of who has written bytes of a draft. moment: of the observer, when that was; now if not given."""
        draft = self._drafts.get(name)
        if draft is not None:
            self._note_author(draft, who, by_content=True, moment=moment)

    def _note_author(self, draft: Draft, who: Who, *, by_content: bool, moment: int | None = None) -> None:
        if who.actor is None:
            return
        author = draft.authors.get(who.actor.key)
        if self.observer is None or who.process is None:
            draft.authors[who.actor.key] = Author.now(who.actor)
            return
        if author is None:
            author = draft.authors[who.actor.key] = Author(who.actor, who.actor.command)
        author.wrote(self.observer.written(who.actor, who.process, moment=moment, by_content=by_content))

    def tell(self, name: bytes, event: Event) -> None:
        """Says what has happened to a draft."""
        draft = self._drafts.get(name)
        if draft is None:
            return  # it went with what happened
        pinned = set(draft.history.pinned)
        draft.history.add(event)
        for unit in pinned - draft.history.pinned.keys():
            self.unpin(draft, unit)
        if len(draft.history.writers) > WRITERS_KEPT:
            self.look_for_ends()
            draft.history.keep_writers(still_alive(draft.history.writers))

    def look_for_ends(self) -> None:
        """Has the drafts looked at again whose writers have ended."""
        ended = self.processes.ended()
        processes = {process for process, _ in ended}
        for name, draft in list(self._drafts.items()):
            if not processes.isdisjoint(draft.history.writers):
                for process, ending in ended:
                    draft.history.ended(process, ending, self.clock())
                self.on_change(name)

    def moved(
        self, old: DraftPath, new: DraftPath, who: Who, *, directory: bool, exchanged: bool | None = None
    ) -> None:
        """Says that something was renamed. exchanged: whether what was there is a directory, if it changed places."""
        before, after = self._drafts[old.draft].history, self._drafts[new.draft].history
        stamp = self.stamp(who)
        moves = _moves(before, old, new) | (_moves(after, new, old) if exchanged is not None else {})
        carried = before.take(old.path, directory=directory)
        returned = after.take(new.path, directory=exchanged) if exchanged is not None else None
        before.add(Left(old.path, stamp, new))
        after.add(Arrived(new.path, stamp, old.name, carried, directory))
        if returned is not None:
            before.add(Arrived(old.path, stamp, new.name, returned, bool(exchanged)))
        for kept in self.pins.move(moves):
            self._give_up(kept)

    def closed(self, handle: int) -> None:
        """Says that a file is closed of which nobody knows a name any more."""
        for draft in self._drafts.values():
            draft.history.forget_handle(handle)

    def sealing(self, draft: Draft, uuid: str, *, partly: bool = False) -> None:
        """Says that the draft's files are about to be linked into the store for the version `uuid`."""
        draft.state, draft.uuid, draft.error, draft.partly = State.SEALING, uuid, None, partly
        self._write(draft)

    def sealed(self, draft: Draft, version: str) -> None:
        """Says that the draft is the version `version` and all its files are stubs."""
        draft.state, draft.uuid = State.SEALED, None
        draft.version = version
        draft.held = draft.error = None
        draft.history.begin_anew()
        draft.authors.clear()
        self.unpin_all(draft)
        self._write(draft)

    def sealed_partly(self, draft: Draft, version: str, taken: Taken) -> None:
        """Says that what was taken of the draft is the version `version`, and the rest is yet to become one."""
        draft.history.begin_anew(taken.leave_out, taken.at, taken.child, taken.pinned)
        for unit in list(draft.history.pinned):
            if unit in taken.pinned or (is_at(unit, taken.child) and not is_at_any(unit, taken.leave_out)):
                self.unpin(draft, unit)
        if not draft.history.paths and not draft.history.open_writers and not draft.history.pinned:
            self.sealed(draft, version)
            return
        draft.state, draft.uuid = State.CHANGED, None
        draft.version, draft.error = version, None
        self._write(draft)

    def pin(self, draft: Draft, unit: bytes, kept: KeptUnit, at: float) -> None:
        """Takes note that the files of a unit are kept, as it was at that time, unless it changed since."""
        facts = draft.history.units.get(unit)
        is_known = facts is not None or unit in draft.history.newest.values()
        is_draft = self._drafts.get(draft.name) is draft
        if not is_draft or not is_known or draft.history.has_changed(at, (), unit):
            self.leavings.append(kept)
            return
        before = self.pins.keep(draft.name, unit, kept)
        if before is not None:
            self.leavings.append(before)
        draft.history.add(Pinned(unit, Pin(at, at, None if facts is None else facts.sign)))

    def unpin(self, draft: Draft, unit: bytes) -> None:
        """Gives up what is kept of a unit."""
        draft.history.pinned.pop(unit, None)
        self._give_up(self.pins.drop(draft.name, unit))

    def unpin_all(self, draft: Draft) -> None:
        """Gives up what is kept of a draft."""
        draft.history.pinned.clear()
        for kept in self.pins.drop_all(draft.name):
            self._give_up(kept)

    def take_leavings(self) -> list[KeptUnit]:
        """What is to be removed now."""
        found, self.leavings = self.leavings, []
        return found

    def unpin_file(self, inode: int) -> None:
        """Gives up the units of which a file is about to be written."""
        for name, unit in self.pins.units_of(inode):
            self.unpin(self._drafts[name], unit)

    def changed(self, draft: Draft) -> None:
        """Goes back from `sealing` to `changed`: the version was not made."""
        draft.state, draft.uuid = State.CHANGED, None
        self._write(draft)

    def hold(self, draft: Draft, why: str) -> None:
        """Keeps a draft from sealing by itself until it changes again."""
        draft.held = redacted(why)
        self._write(draft)

    def stick(self, draft: Draft, why: str) -> None:
        """Says that a draft must not be changed before the next mount: some files share their bytes with a version."""
        draft.error = self.stuck[draft.name] = why

    def renamed(self, old: bytes, new: bytes) -> None:
        """Forgets a draft that has another name now; whoever wrote it wrote that one."""
        before, after = self._drafts.get(old), self._drafts.get(new)
        if before is not None and after is not None:
            for key, author in before.authors.items():
                after.authors.setdefault(key, author).take(author)
            after.history.take_writers(before.history)
        self.remove(old)

    def remove(self, name: bytes) -> None:
        """Forgets a draft that is gone from `/incoming`."""
        draft = self._drafts.pop(name, None)
        if draft is not None:
            self.unpin_all(draft)
            self._record(name).unlink(missing_ok=True)
            self.on_change(name)

    def restore(self, record: Record) -> Draft:
        """Takes up a draft that an earlier daemon left."""
        draft = Draft(record.name, record.state, version=record.version, held=record.held)
        draft.history.changed_at = self.clock()
        self._drafts[record.name] = draft
        self._write(draft)
        return draft

    def _give_up(self, kept: KeptUnit | None) -> None:
        if kept is not None:
            for inode in kept.inodes:
                self.digests.pop(inode, None)
            self.leavings.append(kept)

    def _record(self, name: bytes) -> Path:
        return self._records / f"{tagged(b'artfs.draft', name).hex()[:32]}.json"

    def _write(self, draft: Draft) -> None:
        if self._drafts.get(draft.name) is not draft:
            return  # removed while it was looked at
        path = self._record(draft.name)
        fresh = path.with_suffix(".new")
        try:
            with open(fresh, "w", encoding="ascii", opener=self._sharing.opener) as file:
                file.write(json.dumps(_facts(draft)))
            fresh.rename(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            if draft.state is State.SEALING:
                raise
            # Without a record the next start takes the draft for one that was changed. So a full disk forbids nothing.
            path.unlink(missing_ok=True)
            log.warning("draft %s goes without a record: %s", draft.title, error)


def read_records(records: Path) -> dict[bytes, Record]:
    """The records that an earlier daemon left, by the draft's name.

    One that a failing disk has spoilt is left out: its draft is taken for one that was changed.
    """
    found = {}
    for path in records.glob("*.json"):
        try:
            facts = json.loads(path.read_bytes())
            name = facts["name"].encode("utf-8", "surrogateescape")
            found[name] = Record(
                name, State(facts["state"]), facts["uuid"], facts["version"], facts["held"], bool(facts.get("partly"))
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: not the record of a draft, and left out: %r", path, error)
    return found


def _moves(history: DraftHistory, old: DraftPath, new: DraftPath) -> dict[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Where the pins of what is renamed are, and will be."""
    units = [unit for unit in history.pinned if is_at(unit, old.path)]
    return {(old.draft, unit): (new.draft, joined(new.path, below_of(old.path, unit))) for unit in units}


def _facts(draft: Draft) -> dict[str, str | bool | None]:
    return {
        "name": draft.title,
        "state": draft.state,
        "uuid": draft.uuid,
        "version": draft.version,
        "partly": draft.partly,
        "held": draft.held,
    }
