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
from artfs_mount.incoming.complete.events import Arrived, DraftPath, Event, Left, Stamp
from artfs_mount.incoming.complete.history import DraftHistory
from artfs_mount.incoming.complete.process import UNSEEN, Process
from artfs_mount.incoming.observed import Actor, Author
from artfs_mount.incoming.writers import Processes, still_alive

log = logging.getLogger(__name__)

WRITERS_KEPT = 1024
"""Of a draft. Those that have ended are forgotten at so many; if most of them live, none is told from another."""


class State(StrEnum):
    CHANGED = "changed"
    SEALING = "sealing"
    SEALED = "sealed"


@dataclass(frozen=True)
class Record:
    """What a draft's record on disk says.

    uuid: the version being made, while `sealing`. version: the name of the last version made from the draft.
    held: why it must not seal by itself.
    """

    name: bytes
    state: State
    uuid: str | None = None
    version: str | None = None
    held: str | None = None


@dataclass
class Draft:
    """One entry of `/incoming`.

    changes: counts every change, so that whoever looked at the draft can tell whether it still is what it saw.
    uuid: of the version being made, while `sealing`. error: why the last attempt to seal failed. history: what
    happened to it, and authors: who has changed it, since it was sealed.
    """

    name: bytes
    state: State = State.CHANGED
    changes: int = 0
    uuid: str | None = None
    version: str | None = None
    held: str | None = None
    error: str | None = None
    history: DraftHistory = field(default_factory=DraftHistory)
    authors: dict[str, Author] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as text; bytes that are no UTF-8 show as surrogates."""
        return self.name.decode("utf-8", "surrogateescape")


class Who(NamedTuple):
    """Who is behind a request: a process (None: the kernel), and the programs that it counts as one with."""

    process: Process | None
    actor: Actor | None


class Drafts:
    """All drafts of an area. `records` is the folder of their records; `clock` gives seconds that only grow.

    digests: of files of any draft that were written from front to back, by inode on disk. A digest is dropped before
    its file is written to again or its inode becomes free, so it is right wherever the file has been moved to.
    stuck: why drafts must not be changed before the next mount, by name.
    """

    def __init__(self, records: Path, clock: Callable[[], float] = time.monotonic, sharing: Sharing = OWNER) -> None:
        self.clock = clock
        self.on_change: Callable[[bytes], None] = lambda name: None
        self.actor_of: Callable[[int], Actor | None] = lambda _: None
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

    def who(self, thread: int) -> Who:
        """Who is behind a request that changes something; 0 is a thread that this process cannot see."""
        return Who(self.processes.of(thread), self.actor_of(thread))

    def reader(self, thread: int) -> Who:
        """Who is behind a request that changes nothing: no author of anything."""
        return Who(self.processes.of(thread), None)

    def stamp(self, who: Who) -> Stamp:
        """Says of an event that somebody has done it now."""
        return Stamp(self.clock(), who.process)

    def touch(self, name: bytes, who: Who | None = None) -> Draft:
        """Says that a draft is about to change. Call it before the change, so that a kill in between is noticed."""
        draft = self._drafts.get(name)
        if draft is None:
            draft = self._drafts[name] = Draft(name)
            self._write(draft)
        elif draft.state is not State.CHANGED or draft.held is not None:
            draft.state, draft.held = State.CHANGED, None
            self._write(draft)
        draft.changes += 1
        draft.history.changed_at = self.clock()
        draft.error = None
        if who is not None and who.actor is not None:
            draft.authors[who.actor.key] = Author.now(who.actor)
        self.on_change(name)
        return draft

    def tell(self, name: bytes, event: Event) -> None:
        """Says what has happened to a draft."""
        draft = self._drafts.get(name)
        if draft is None:
            return  # it went with what happened
        draft.history.add(event)
        if len(draft.history.writers) > WRITERS_KEPT:
            alive = still_alive(draft.history.writers)
            draft.history.writers = alive if len(alive) <= WRITERS_KEPT // 2 else {UNSEEN}

    def moved(
        self, old: DraftPath, new: DraftPath, who: Who, *, directory: bool, exchanged: bool | None = None
    ) -> None:
        """Says that something was renamed. exchanged: whether what was there is a directory, if it changed places."""
        before, after = self._drafts[old.draft].history, self._drafts[new.draft].history
        stamp = self.stamp(who)
        carried = before.take(old.path, directory=directory)
        returned = after.take(new.path, directory=exchanged) if exchanged is not None else None
        before.add(Left(old.path, stamp, new))
        after.add(Arrived(new.path, stamp, old.name, carried))
        if returned is not None:
            before.add(Arrived(old.path, stamp, new.name, returned))

    def closed(self, handle: int) -> None:
        """Says that a file is closed of which nobody knows a name any more."""
        for draft in self._drafts.values():
            draft.history.forget_handle(handle)

    def sealing(self, draft: Draft, uuid: str) -> None:
        """Says that the draft's files are about to be linked into the store for the version `uuid`."""
        draft.state, draft.uuid, draft.error = State.SEALING, uuid, None
        self._write(draft)

    def sealed(self, draft: Draft, version: str) -> None:
        """Says that the draft is the version `version` and all its files are stubs."""
        draft.state, draft.uuid = State.SEALED, None
        draft.version = version
        draft.held = draft.error = None
        draft.history.begin_anew()
        draft.authors.clear()
        self._write(draft)

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
            after.authors.update(before.authors)
            after.history.writers |= before.history.writers
        self.remove(old)

    def remove(self, name: bytes) -> None:
        """Forgets a draft that is gone from `/incoming`."""
        if self._drafts.pop(name, None) is not None:
            self._record(name).unlink(missing_ok=True)
            self.on_change(name)

    def restore(self, record: Record) -> Draft:
        """Takes up a draft that an earlier daemon left."""
        draft = Draft(record.name, record.state, version=record.version, held=record.held)
        draft.history.changed_at = self.clock()
        self._drafts[record.name] = draft
        self._write(draft)
        return draft

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
            found[name] = Record(name, State(facts["state"]), facts["uuid"], facts["version"], facts["held"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: not the record of a draft, and left out: %r", path, error)
    return found


def _facts(draft: Draft) -> dict[str, str | None]:
    return {
        "name": draft.title,
        "state": draft.state,
        "uuid": draft.uuid,
        "version": draft.version,
        "held": draft.held,
    }
