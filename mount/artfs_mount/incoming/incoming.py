"""`/incoming` as a whole: the parts over one area, and the questions that concern all drafts."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from artfs.errors import ArtfsError, CatalogReplaced, DraftNotFound
from artfs.secrets.redaction import redacted
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming.area import Area
from artfs_mount.incoming.attributes import FileAttributes
from artfs_mount.incoming.callers import Caller, check_order
from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.rule import Decision, Facts, Hold, decide
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.contents import Contents
from artfs_mount.incoming.drafts import Draft, Drafts, State
from artfs_mount.incoming.namespace import Namespace
from artfs_mount.incoming.nodes import DraftNodes
from artfs_mount.incoming.observed import Actor
from artfs_mount.incoming.writers import have_ended

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
        self.quiet = Quiet(config.quiet_file_seconds, config.quiet_directory_seconds)
        self.drafts = Drafts(area.records, sharing=area.sharing)
        self.nodes = DraftNodes(os.fsencode(area.work))
        self.namespace = Namespace(self.nodes, self.drafts)
        self.contents = Contents(self.nodes, self.drafts, workspace.blobs.cursor)
        self.attributes = FileAttributes(self.nodes, self.drafts, self.contents)
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
        waiting = self.finishing.get(draft.name)
        finish = waiting is not None and have_ended(draft.history.writers, except_for=waiting)
        now, name = self.drafts.clock(), draft.title
        return decide(Facts.at(now, draft.history, name=name, kind=kind, held=draft.held, finish=finish), self.quiet)

    def _is_granted(self, draft: Draft, caller: Caller, grants: Callable[[os.stat_result], bool]) -> bool:
        if caller.is_trusted:
            return True
        try:
            return grants(os.lstat(self.path(draft.name)))
        except FileNotFoundError:
            return False
