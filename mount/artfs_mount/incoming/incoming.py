"""`/incoming` as a whole: the parts over one area, and the questions that concern all drafts."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from artfs.enums import Granularity
from artfs.errors import ArtfsError, CatalogReplaced, DraftNotFound
from artfs.secrets.redaction import redacted
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming.area import Area
from artfs_mount.incoming.attributes import FileAttributes
from artfs_mount.incoming.callers import Caller, check_order
from artfs_mount.incoming.complete.events import DraftPath
from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.known import Facts
from artfs_mount.incoming.complete.obstacles import Obstacle, obstacles
from artfs_mount.incoming.complete.paths import is_at
from artfs_mount.incoming.complete.rule import Decision, Hold, decide, to_pin
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.complete.units import may_lose
from artfs_mount.incoming.complete.writers import (
    all_ended,
    all_ended_well,
    failed,
    killed,
    stopped,
    world_size,
)
from artfs_mount.incoming.contents import Contents
from artfs_mount.incoming.drafts import Draft, Drafts, State
from artfs_mount.incoming.granularity import Granularities
from artfs_mount.incoming.namespace import Namespace
from artfs_mount.incoming.nodes import DraftNodes
from artfs_mount.incoming.observed import Actor, has_ended

log = logging.getLogger(__name__)


class Incoming:
    """The working directory of an area, its drafts, and when they are complete.

    finishing: drafts that somebody waits for in `artfs sync`, and the processes that do. store_trouble: why the store
    could take no version when it was last looked for; None if it could.
    """

    def __init__(self, workspace: Workspace, area: Area) -> None:
        config = workspace.home.config
        self.area = area
        self.workspace = workspace
        self.quiet = Quiet(
            file=config.quiet_file_seconds,
            unproven=config.quiet_unproven_seconds,
            directory=config.quiet_directory_seconds,
            living=config.quiet_living_seconds,
            unit=config.quiet_unit_seconds,
        )
        self.drafts = Drafts(area.records, sharing=area.sharing, pins=area.scratch / "pins")
        self.nodes = DraftNodes(os.fsencode(area.work))
        self.namespace = Namespace(self.nodes, self.drafts)
        self.contents = Contents(self.nodes, self.drafts, workspace.blobs.cursor)
        self.attributes = FileAttributes(self.nodes, self.drafts, self.contents)
        self.granularities = Granularities(workspace)
        self.finishing: dict[bytes, frozenset[int]] = {}
        self.store_trouble: str | None = None
        self._told_of_trouble = False

    def path(self, draft: bytes) -> bytes:
        """Where a draft lies in the working directory."""
        return self.nodes.path_of_root + b"/" + draft

    def draft(self, name: bytes) -> Draft:
        """A draft by its name. Raises DraftNotFound."""
        draft = self.drafts.get(name)
        if draft is None or self.kind(name) is None:
            title = name.decode("utf-8", "replace")
            raise DraftNotFound(f"{title}: nothing of this name is in /incoming", subject=name)
        return draft

    def check_order(self, name: bytes, caller: Caller) -> None:
        """Refuses an order about a draft that the caller may not write. Raises PermissionError, DraftNotFound."""
        check_order(caller, self.draft(name).title, os.lstat(self.path(name)))

    def may_order(self, draft: Draft, caller: Caller) -> bool:
        """Whether a caller may have a version made of a draft."""
        return self._is_granted(draft, caller, caller.may_write)

    def may_look(self, draft: Draft, caller: Caller) -> bool:
        """Whether a caller may know what becomes of a draft."""
        return self._is_granted(draft, caller, caller.may_look)

    def kind(self, name: bytes) -> DraftKind | None:
        """What a draft is; None when it is gone. FIFOs and sockets count as files: sealing says why it cannot be."""
        try:
            mode = os.lstat(self.path(name)).st_mode
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(mode):
            return DraftKind.DIRECTORY
        return DraftKind.LINK if stat.S_ISLNK(mode) else DraftKind.FILE

    def owner(self, name: bytes) -> int:
        """The number of the user whose draft it is. Raises DraftNotFound."""
        try:
            return os.lstat(self.path(self.draft(name).name)).st_uid
        except FileNotFoundError:
            raise DraftNotFound(f"{os.fsdecode(name)!r}: nothing of this name is in /incoming", subject=name) from None

    def decisions(self) -> Iterator[tuple[Draft, Decision]]:
        """What is to be done with each draft that is not a version as it stands."""
        trouble = self._trouble()
        for draft in self.drafts:
            if draft.state is State.CHANGED:
                decision = self._decide(draft, trouble)
                if decision is not None:
                    yield draft, decision

    def decision(self, draft: Draft) -> Decision | None:
        """What is to be done with a draft; None for one that is a version as it stands, is becoming one, or is gone."""
        if draft.state is not State.CHANGED:
            return None
        return self._decide(draft, self._trouble())

    def keep_holds(self) -> None:
        """Writes down what holds drafts: the next daemon knows neither who wrote them, nor how those ended."""
        for draft in self.drafts:
            if draft.held is None and (why := self.why_held(draft)) is not None:
                self.drafts.hold(draft, why)

    def why_held(self, draft: Draft) -> str | None:
        """Why something in a draft is held, which only a person can end; None if nothing is."""
        found = (each.why for each in self.obstacles(draft) if not each.waits and not each.left)
        return next(found, None)

    def obstacles(self, draft: Draft) -> list[Obstacle]:
        """What keeps paths of a draft out of versions."""
        if draft.state is not State.CHANGED:
            return []
        try:
            kind = self.kind(draft.name)
        except OSError:  # which is what is told of it
            return []
        return obstacles(self._facts(draft, kind), self.quiet) if kind is not None else []

    def have_writers_ended(self, draft: Draft) -> bool:
        """Whether all who changed a draft since it was a version are known to have ended."""
        return all_ended(self.drafts.processes.look(draft.history.writers, draft.history.endings))

    def writers_in(self, place: DraftPath) -> int:
        """How many handles that may write are open at a place in a draft, or below."""
        draft = self.drafts.get(place.draft)
        handles = draft.history.handles.values() if draft is not None else ()
        return sum(handle.writes and is_at(handle.path, place.path) for handle in handles)

    def look_for_store(self) -> str | None:
        """Why the store can take no version just now; None if it can. Waits for its disk: for a worker thread."""
        try:
            self.workspace.stores.active  # noqa: B018 - it is there, and its own
        except (ArtfsError, OSError) as error:
            return redacted(str(error))
        return None

    def catalog_trouble(self) -> str | None:
        """Why no draft can become a version, whatever is in it and whoever asks; None if it can."""
        try:
            self.workspace.catalog.check_in_place()
        except CatalogReplaced as error:
            if not self._told_of_trouble:
                self._told_of_trouble = True
                log.error("no draft becomes a version any more: %s", error)
            return str(error)
        return None

    def hold_written_by(self, actors: Sequence[Actor], why: str, caller: Caller) -> None:
        """Keeps what somebody wrote, and what is not a version yet, from sealing by itself, where a caller may ask."""
        keys = {actor.key for actor in actors}
        for draft in self.drafts:
            if draft.state is State.CHANGED and keys & draft.authors.keys() and self.may_order(draft, caller):
                self.drafts.hold(draft, f"{why}; write to it again, commit it (artfs commit), or remove it")

    def is_written_beside(self, run: str, draft: Draft) -> bool:
        """Whether others than the programs of a run write a draft: they are known, and some of them live."""
        others = bool(draft.authors) and all(author.actor.run != run for author in draft.authors.values())
        return others and not self.have_writers_ended(draft)

    def _trouble(self) -> str | None:
        """Why no draft becomes a version by itself just now, whatever is in it; None if nothing keeps them from it."""
        return self.catalog_trouble() or self.store_trouble

    def _decide(self, draft: Draft, trouble: str | None) -> Decision | None:
        try:
            kind = self.kind(draft.name)
        except OSError as error:  # the disk fails for this one, and not for the others
            return Hold(f"{draft.title} cannot be looked at: {error.strerror or error}; is its disk well?")
        if kind is None:
            self.drafts.remove(draft.name)
            return None
        if trouble is not None:
            return Hold(trouble)
        return decide(self._facts(draft, kind), self.quiet)

    def to_pin(self, draft: Draft) -> list[bytes]:
        """The units of a draft whose files are to be kept now."""
        history = draft.history
        may_be = bool(history.newest) or any(unit.sign for unit in history.units.values())
        if draft.state is State.SEALED or not may_be:
            return []
        return to_pin(self._facts(draft, DraftKind.DIRECTORY), self.quiet)

    def to_pin_before_loss(self, draft: Draft, path: bytes) -> list[bytes]:
        """The units whose files are to be kept before what is at a path goes."""
        if draft.history.is_early_for(path) or not may_lose(draft.history, path):
            return []
        return [unit for unit in self.to_pin(draft) if is_at(path, unit)]

    def _facts(self, draft: Draft, kind: DraftKind) -> Facts:
        waiting = self.finishing.get(draft.name)
        writers = self.drafts.processes.look(draft.history.writers, draft.history.endings)
        finish = waiting is not None and all_ended(writers, except_for=waiting)
        return Facts(
            draft.title,
            kind,
            self.drafts.clock(),
            draft.history,
            held=draft.held,
            aside=draft.idle or (self._why_no_link(draft) if kind is DraftKind.LINK else None),
            ended=all_ended(writers, except_for=waiting or ()),
            ended_well=bool(writers) and all_ended_well(writers) and _have_left(draft),
            stopped=bool(stopped(writers)),
            finish=finish,
            waits_for_itself=finish and not all_ended(writers),
            world_size=world_size(writers),
            failed=frozenset(writer.process for writer in (*killed(writers), *failed(writers))),
            children=self._children(draft) if kind is DraftKind.DIRECTORY and self.is_by_child(draft) else None,
        )

    def is_by_child(self, draft: Draft) -> bool:
        """Whether each thing that lies directly in a draft becomes a version of its own."""
        return self.granularities.of(draft.title) is Granularity.CHILD

    def _children(self, draft: Draft) -> dict[bytes, DraftKind]:
        """What lies directly in a draft and has changed; all of it where nothing is known, as after a new start."""
        history = draft.history
        names = {path.partition(b"/")[0] for path in (*history.paths, *history.pinned)} - {b""}
        if not names:
            names = set(os.listdir(self.path(draft.name)))
        found = {name: self.kind(draft.name + b"/" + name) for name in names}
        pinned = {name: DraftKind.DIRECTORY for name in names if any(is_at(unit, name) for unit in history.pinned)}
        return {**pinned, **{name: kind for name, kind in found.items() if kind is not None}}

    def _why_no_link(self, draft: Draft) -> str | None:
        target = os.readlink(self.path(draft.name))
        if target.startswith(b"/") or b"://" in target:
            return None
        return "a relative link registers nothing; link to an absolute path or a URI"

    def _is_granted(self, draft: Draft, caller: Caller, grants: Callable[[os.stat_result], bool]) -> bool:
        if caller.is_trusted:
            return True
        try:
            return grants(os.lstat(self.path(draft.name)))
        except FileNotFoundError:
            return False


def _have_left(draft: Draft) -> bool:
    """Whether whatever started the writers of a draft, such as a script, has ended too."""
    return bool(draft.authors) and all(has_ended(author.actor.group) for author in draft.authors.values())
