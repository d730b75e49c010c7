"""How a draft becomes a version without its bytes being copied, step by step.

    look       at a draft that nobody writes                                                          on the event loop
    snapshot   digest every file, while the draft may still change; then all of it is thrown away     on a worker thread
    decide     that it still is what was looked at: from here on nothing may change it                on the event loop
    commit     make the stubs, bring new bytes into the store, durably, insert the version's rows     on a worker thread
    give back  put the stubs in the places of the files, so that nobody meets a stub unawares         on the event loop
    protect    make the store's files the daemon's own, which share no inode with the draft any more  on a worker thread
    free       the draft is the version, and may be changed again                                     on the event loop
    record     write down where the version comes from                                                on a worker thread

A kill between any two of them leaves either no version (the links are removed at the next start) or the version and
files that still share inodes with it (they become stubs at the next start, before anybody can write to them):
recovery.py. No step calls whoever runs them (sealer.py), and none of them knows of an event loop.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid as uuids
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from artfs.artifacts import orphans, seal
from artfs.artifacts.scan import closed
from artfs.catalog.artifacts import Artifact
from artfs.catalog.new_version import NewVersion
from artfs.catalog.versions import Version
from artfs.enums import ArtifactSaveType
from artfs.errors import Cancelled, ChangedWhileReading, DraftHeld, InvalidName, VersionExists
from artfs.linux import users
from artfs.names import check_artifact_name, check_version_name
from artfs_mount.incoming import snapshot, stubs
from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.paths import is_at
from artfs_mount.incoming.drafts import Draft, Taken
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.lineage import record
from artfs_mount.incoming.looks import Look, NothingInIt, Unfit, faults, is_empty
from artfs_mount.incoming.observed import Author
from artfs_mount.incoming.pins import KeptUnit, remove
from artfs_mount.incoming.selection import Part
from artfs_mount.incoming.shared_names import SharedNames

STUBS_AT_ONCE = 256
"""Stubs are put in their places in batches, and requests are answered between them."""


@dataclass(frozen=True)
class Request:
    """What is to be made of a draft. artifact: its own name when None. version: the next number when None.

    sealed_by: what makes it a version; see `Version`. part: what of the draft, if not all of it; then it must be whole
    by all that its formats tell.
    """

    artifact: str | None = None
    version: str | None = None
    tags: tuple[str, ...] = ()
    sealed_by: str = "commit"
    part: Part | None = None


@dataclass(frozen=True)
class MadeVersion:
    """The version that a draft is. is_new: it was not before. waiting: stubs, to be put in the places of its files."""

    version: Version
    is_new: bool
    waiting: tuple[stubs.Stub, ...]


class DraftCommit:
    """One draft on its way to a version. The steps are called one after another; after one that fails, none.

    request: may be changed until `look`. owes_lineage: the draft is a version, and it is not written down yet where
    that comes from.
    """

    def __init__(self, incoming: Incoming, mount_point: Path, draft: Draft, request: Request) -> None:
        self.draft = draft
        self.owes_lineage = False
        self._incoming = incoming
        self._workspace = incoming.workspace
        self._mount_point = mount_point
        self.request = request
        self._changes = draft.changes
        self._part: Part | None = None
        self._looked_at = 0.0
        self._checked: frozenset[bytes] = frozenset()
        self._authors: tuple[Author, ...] = ()
        self._pins: Mapping[bytes, KeptUnit] = {}
        self._copies: Path | None = None
        self._is_cancelled = False

    def check(self) -> None:
        """Refuses at once what cannot become a version, whatever is in it."""
        check_artifact_name(self._artifact)
        if (trouble := self._incoming.catalog_trouble()) is not None:
            raise DraftHeld(f"{self.draft.title}: {trouble}", subject=self.draft.name)
        if self.request.version is not None:
            check_version_name(self.request.version)
        writers = self.draft.history.open_writers
        if writers:
            how_many = "a file is" if writers == 1 else f"{writers} files are"
            raise DraftHeld(
                f"{self.draft.title}: {how_many} still open for writing; close them, then commit",
                subject=self.draft.name,
            )

    def look(self) -> None:
        """Notes what the draft is now. Raises Cancelled while a file that is to be taken is open for writing."""
        history = self.draft.history
        self._changes = self.draft.changes
        self._looked_at = self._incoming.drafts.clock()
        self._checked = frozenset(path for path, facts in history.paths.items() if facts.is_checked)
        self._part = self.request.part
        if self._part is not None:
            streams = history.open_in(self._part.leave_out, self._part.child, streams=True)
            self._part = replace(self._part, streams=tuple(dict.fromkeys(streams)))
        self.check_still()

    def snapshot(self) -> seal.Scanned:
        """Looks at what is to be taken of the draft.

        Raises Cancelled when it changes meanwhile. If it was not asked for by a person: Unfit (a Cancelled) when it is
        not whole, NothingInIt when it is empty.
        """
        if self._part is not None and self._part.streams:
            self._copies = self._incoming.area.new_scratch()
        try:
            return self._looked_through()
        except ChangedWhileReading as error:
            self._remove_copies()
            if self._part is None:
                raise
            raise Cancelled(str(error), subject=self.draft.name) from error
        except BaseException:
            self._remove_copies()
            raise

    def _looked_through(self) -> seal.Scanned:
        part = (self._part, self._copies) if self._part is not None else None
        content = snapshot.take(self._incoming, self._mount_point, self.draft.name, self._is_outdated, part)
        if self._part is not None and not content.in_place:
            if is_empty(content):
                raise NothingInIt("it is empty", subject=self.draft.name)
            self._check_whole(content, self._part)
        return content

    def _check_whole(self, content: seal.Scanned, part: Part) -> None:
        """Raises Unfit if a directory, or a file in it, says that it is not whole; a single file was asked before."""
        if not os.path.isdir(os.path.join(self._incoming.path(self.draft.name), part.child)):
            return
        checked = {part.inner(path) for path in self._checked if is_at(path, part.child)}
        if found := [
            replace(look, path=part.path(look.path))
            for look in faults(content, part.child or self.draft.name, checked, part.world_size)
        ]:
            raise Unfit(self.draft.title, found)

    def cancel(self) -> None:
        """Ends a snapshot that nobody waits for any more. For any thread."""
        self._is_cancelled = True

    def decide(self) -> None:
        """Makes what was looked at final. Raises Cancelled when it is not the draft any more."""
        try:
            self.check_still()
        except Cancelled:
            self._remove_copies()
            raise
        self._authors = tuple(self.draft.authors.values())
        pins = {unit: self._incoming.drafts.pins.of(self.draft.name, unit) for unit in self._pinned}
        self._pins = {unit: pin for unit, pin in pins.items() if pin is not None}

    def check_still(self, error: Exception | None = None) -> None:
        """Raises Cancelled when the draft was changed, removed or opened for writing since it was looked at.

        error: what came of it; it says nothing of the draft if a log was opened meanwhile, which else is no change.
        """
        is_log = isinstance(error, DraftHeld | ChangedWhileReading) and self.draft.changes != self._changes
        if is_log or self._has_changed or self._incoming.drafts.get(self.draft.name) is not self.draft:
            raise Cancelled(f"{self.draft.title}: it changed while it was looked at", subject=self.draft.name)

    def commit(self, content: seal.Scanned) -> MadeVersion:
        """Makes the version, or nothing."""
        content = self._as_reached(content)
        version = self._unchanged(content)
        with contextlib.ExitStack() as undo:
            waiting = tuple(self._stubs(content, undo))
            if version is not None:
                version, waiting = self._taken_up(content, waiting)
            is_new = version is None
            if version is None:
                version = self._sealed(content)
            undo.pop_all()
        return MadeVersion(version, is_new, waiting)

    def abandon(self) -> None:
        """Says that there is no version after all, and the draft is as it was."""
        self._remove_copies()
        self._incoming.drafts.changed(self.draft)

    def give_back(self, made: MadeVersion) -> Generator[None, None, None]:
        """Puts the stubs in the places of the files; between two batches requests may be answered, but no change.

        Where that fails, files share bytes with the version, and must not be changed before the next mount.
        """
        try:
            for start in range(0, len(made.waiting), STUBS_AT_ONCE):
                batch = made.waiting[start : start + STUBS_AT_ONCE]
                with stubs.times_kept(batch):
                    for stub in batch:
                        stub.put()
                        self._adopt(stub)
                yield
        except BaseException as error:
            why = f"{self.draft.title}: it is version {made.version.name}, but can be changed only after the next mount"
            self._incoming.drafts.stick(self.draft, f"{why} ({error})")
            raise

    def protect(self, made: MadeVersion) -> None:
        """Makes the store's files the daemon's own, when no file of the draft shares an inode with them."""
        self._remove_copies()
        if made.is_new:
            orphans.protect(self._workspace, made.version)

    def free(self, made: MadeVersion) -> None:
        """Says that the draft, or what was taken of it, is the version, and may be changed again."""
        self.owes_lineage = made.is_new and bool(self._authors)
        if self._part is None:
            self._incoming.drafts.sealed(self.draft, made.version.name)
        else:
            part = self._part
            taken = Taken(self._looked_at, part.leave_out, frozenset(part.pinned), part.child)
            self._incoming.drafts.sealed_partly(self.draft, made.version.name, taken)

    def record(self, made: MadeVersion) -> None:
        """Writes down where a new version comes from, in the catalog and then in its manifest."""
        record(self._workspace.catalog, made.version, self._authors)
        if self._workspace.catalog.lineage.producer(made.version.id) is not None:
            self._workspace.manifests.rewrite(made.version.id)

    def detach(self) -> bytes:
        """Takes the draft out of `/incoming`, on the event loop; returns where its files are, to be removed."""
        name = self.draft.name
        path = self._incoming.path(name)
        away = os.fsencode(self._incoming.area.scratch / str(uuids.uuid4()))
        if self._incoming.kind(name) is DraftKind.DIRECTORY:
            os.chmod(path, 0o700)  # to move a directory is to write in it
        os.rename(path, away)
        self._incoming.nodes.cut_off(name)
        self._incoming.drafts.remove(name)
        return away

    @property
    def _artifact(self) -> str:
        if self.request.artifact is not None:
            return self.request.artifact
        try:
            return self.draft.name.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidName(
                f"{self.draft.name!r}: the name of an artifact must be UTF-8; rename it", subject=self.draft.name
            ) from None

    def _remove_copies(self) -> None:
        if self._copies is not None:
            remove(os.fsencode(self._copies))

    @property
    def _has_changed(self) -> bool:
        history = self.draft.history
        if self._part is None:
            return self.draft.changes != self._changes or bool(history.open_writers)
        pins = self._incoming.drafts.pins
        kept = ((pins.of(self.draft.name, unit), path) for unit, path in self._part.pinned.items())
        return history.has_changed(self._looked_at, self._part.leave_out, self._part.child) or any(
            pin is None or pin.path != path for pin, path in kept
        )

    def _is_outdated(self) -> bool:
        return self._is_cancelled or (self._part is None and self.draft.changes != self._changes)

    def _unchanged(self, content: seal.Scanned) -> Version | None:
        """The version that the draft already is, when nothing new was asked for."""
        catalog = self._workspace.catalog
        artifact = catalog.artifacts.get(self._artifact)
        if artifact is None:
            return None
        if self.request.version is not None:
            if catalog.versions.get(artifact.id, self.request.version) is not None:
                raise VersionExists(
                    f"{artifact.name}: it already has a version {self.request.version}; choose another name",
                    subject=artifact.name,
                )
            return None
        latest = self._newest(artifact)
        return latest if latest is not None and latest.digest == content.tree.digest else None

    def _newest(self, artifact: Artifact) -> Version | None:
        """The last version made of the draft, or of the child that is looked at."""
        catalog = self._workspace.catalog
        if self._part is None or not self._part.child:
            return catalog.versions.latest(artifact.id)
        number = catalog.tags.newest(artifact.id).get(os.fsdecode(self._part.child))
        return catalog.versions.by_id(number) if number is not None else None

    def _taken_up(
        self, content: seal.Scanned, waiting: tuple[stubs.Stub, ...]
    ) -> tuple[Version | None, tuple[stubs.Stub, ...]]:
        """The version that the draft already is, now with the tags that were asked for, and the stubs to use.

        Whoever removes bytes looks for stubs before he commits that: after this transaction he sees these. Bytes that
        are in no store (any more) have no stub; their files keep their own.
        """
        catalog = self._workspace.catalog
        with catalog.transaction():
            version = self._unchanged(content)
            if version is None:
                return None, waiting
            catalog.tags.add(version.id, *self.request.tags)
            stored = catalog.blobs.known({stub.digest for stub in waiting})
        usable = tuple(stub for stub in waiting if stub.digest in stored and stored[stub.digest].owned)
        for stub in set(waiting) - set(usable):
            stub.discard()
        return version, usable

    def _sealed(self, content: seal.Scanned) -> Version:
        """A new version, with the bytes that no store has yet. Its id is written down with the draft first."""
        store = self._workspace.stores.active
        uuid = str(uuids.uuid4())
        self._incoming.drafts.sealing(self.draft, uuid, partly=self._part is not None)
        plan = seal.plan(content, self._new(content, uuid), self._workspace.catalog, store, store)
        with seal.bring(plan, self._workspace) as ready:
            [version] = seal.commit(self._workspace, [ready])
        return version

    def _new(self, content: seal.Scanned, uuid: str) -> NewVersion:
        """What the version to be says of itself."""
        owner = self._owner(content)
        return NewVersion(
            self._artifact,
            content.tree,
            uuid,
            name=self.request.version,
            tags=self.request.tags,
            save_type=ArtifactSaveType.INCOMING.value,
            user=owner,
            owner=owner,
            owner_group=_group(content),
            sealed_by=self.request.sealed_by,
            previous_id=self._previous(content),
        )

    def _previous(self, content: seal.Scanned) -> int | None:
        """The version that the draft went on from, if it keeps a content of it, or whoever wrote it has read one."""
        catalog, name, version = self._workspace.catalog, self.draft.name, self.draft.version
        if version is None:
            return None
        keeps = any(file.stand_in for file in content.files)
        if not keeps and not any(author.has_read_copy(name, version) for author in self._authors):
            return None
        artifact = catalog.artifacts.get(self._artifact)
        previous = catalog.versions.get(artifact.id, version) if artifact is not None else None
        return previous.id if previous is not None else None

    def _stubs(self, content: seal.Scanned, undo: contextlib.ExitStack) -> Iterator[stubs.Stub]:
        """Makes the stubs, to be discarded unless all goes well. What is one already is left alone."""
        if content.in_place:
            return
        shared = SharedNames(self._incoming.path(self.draft.name), self._pins, self._incoming.drafts.pins)
        found = shared.of(content)
        if shared.lost:
            raise Unfit(
                self.draft.title, [Look(unit, "files of it are in another draft by now") for unit in shared.lost]
            )
        scratch = os.fsencode(self._incoming.area.scratch / f"stub-{uuids.uuid4()}")
        for number, (paths, digest) in found.items():
            stub = stubs.make(paths, digest, b"%s-%d" % (scratch, number))
            undo.callback(stub.discard)
            yield stub

    def give_up_pins(self, looks: Collection[Look]) -> list[Look]:
        """Gives up units that were pinned and are not whole; returns what was found out of all else."""
        others = []
        for look in looks:
            unit = next((unit for unit in self._pinned if is_at(look.path, unit)), None)
            if unit is None:
                others.append(look)
            else:
                self._incoming.drafts.unpin(self.draft, unit)
        return others

    @property
    def _pinned(self) -> Collection[bytes]:
        return self._part.pinned if self._part is not None else ()

    def _adopt(self, stub: stubs.Stub) -> None:
        """Lets the node of a file mean the stub that took its place."""
        self._incoming.drafts.digests.pop(stub.before, None)
        node = self._incoming.nodes.known(stub.before)
        if node is not None:
            self._incoming.nodes.rebind(node, stub.number)
            self._incoming.contents.became_stub(node, stub.digest)

    def _as_reached(self, content: seal.Scanned) -> seal.Scanned:
        """Closes the version to those whom the mode of `/incoming` keeps from the draft; data in place tells itself."""
        is_open = self._incoming.area.work.stat().st_mode & stat.S_IXOTH
        return content if content.in_place or is_open else closed(content)

    def _owner(self, content: seal.Scanned) -> str:
        """Who the version is shown to belong to: the daemon's user where not all of it belongs to one."""
        owner, *others = content.owners or {os.geteuid()}
        return self._workspace.user if others else users.name_of(owner)


def _group(content: seal.Scanned) -> str | None:
    """The group that all of a version belonged to, by name where it has one."""
    if len(content.groups) != 1:
        return None
    [group] = content.groups
    return users.group_name_of(group)
