"""The one way a version comes to be: scan, plan, bring, commit.

    scan      what is there, with digests                                       (artfs.artifacts.scan)
    plan      which of its contents no store has yet, and where they will lie. Nothing is changed
    bring     those go to `<artifact>/<version's uuid>/<path>` of the landing area, and are made durable
    commit    the rows, of one version or of several at once: from here on it exists. Then its manifest is written

The landing area is the store where bytes land, and a version's own store the one that it belongs to: for a store on
this machine both are the same.

Whoever makes a version claims its folder until the commit is through. A crash before the commit leaves a claimed
folder without a manifest (`artfs.artifacts.orphans`), one after it nothing but a manifest that is still to be written.
What brings little waits for no disk: its bytes are committed with the rows, its manifest comes later (`syncing`).
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from artfs.artifacts.orphans import remove_attempt
from artfs.artifacts.plan import Picture, Plan, contents_of, picture, plan, wanted_of
from artfs.artifacts.scan import Elsewhere, Known, Scanned, ScannedFile, scan, scan_in_place
from artfs.blobs import pieces
from artfs.catalog.blobs import Place
from artfs.catalog.new_version import NewContents
from artfs.content import files
from artfs.content.digest import Digest
from artfs.content.long_paths import lstat, reachable
from artfs.errors import ChangedWhileReading, MissingPlace
from artfs.stages import stages
from artfs.transfers.syncing import small_contents

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

__all__ = [
    "Elsewhere",
    "Known",
    "Picture",
    "Plan",
    "Ready",
    "Scanned",
    "ScannedFile",
    "bring",
    "commit",
    "picture",
    "plan",
    "scan",
    "scan_in_place",
]

MOST_EQUAL_PLACES = 64
"""Of so many equal files that are registered, the places are kept: whoever reads one goes through them all."""


@dataclass(slots=True)
class _Fate:
    """Whether a version came to be, as far as that is known without asking the catalog."""

    made: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A version whose bytes are there: it can be committed. At the end of its context what no version needs is removed.

    Args:
        plan: what was to be brought.
        contents: where the bytes lie.
        workspace: whose catalog tells whether it came to be.
    """

    plan: Plan
    contents: NewContents
    workspace: Workspace
    _claim: contextlib.ExitStack
    _fate: _Fate = field(default_factory=_Fate)

    def release(self) -> None:
        """Let go of the version's folder; if it did not become a version, remove what was brought."""
        self._claim.close()
        if self._fate.made:
            return
        # An interrupt may have come just after the commit, which only the catalog can tell.
        if self.plan.taken is not None:
            self.plan.taken.taken = self.workspace.catalog.versions.by_uuid(self.plan.new.uuid) is not None
        elif self.plan.needs_folder:
            remove_attempt(self.plan.landing, self.workspace.catalog, self.plan.new.uuid, self.plan.folder)

    def __enter__(self) -> Ready:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def bring(made: Plan, workspace: Workspace) -> Ready:
    """Bring what a plan says into the landing area, durably but for what is late, and return the version to be.

    Data in place is left where it is.

    Raises:
        ChangedWhileReading: a file was written to since it was scanned.
        OSError: the landing area cannot take the bytes.
    """
    with contextlib.ExitStack() as claim:
        if made.needs_folder and made.taken is None:
            claim.enter_context(made.landing.claim(made.folder))
        stages.reached("claimed")
        ready = Ready(made, NewContents({}), workspace, claim.pop_all())
    try:
        contents = _in_place_contents(made, workspace) if made.scanned.in_place else _brought(made)
        _sync(made, contents, _lists(made))
        stages.reached("brought")
    except BaseException:
        ready.release()
        raise
    return replace(ready, contents=contents)


def commit(workspace: Workspace, readies: Sequence[Ready]) -> list[Version]:
    """Make versions of what was brought: all of them in one transaction, or none.

    Bytes that were in a store when they were planned for, and are gone by now, are brought first.

    Raises:
        VersionExists: an artifact has had a version of that name.
        MissingPlace: the bytes of a stand-in are gone.
        OSError: the catalog cannot be written, or the bytes not brought.
    """
    try:
        return _recorded(workspace, readies)
    except MissingPlace as gone:
        readies = [_brought_again(ready, gone.digests) for ready in readies]
    return _recorded(workspace, readies)


def _recorded(workspace: Workspace, readies: Sequence[Ready]) -> list[Version]:
    catalog = workspace.catalog
    with catalog.transaction():
        versions = [catalog.versions.create(ready.plan.new, ready.contents) for ready in readies]
        for ready, version in zip(readies, versions, strict=True):
            if version.number is not None:
                ready.plan.store.numbered(version.artifact, version.number + 1)
        catalog.after_commit(functools.partial(_finish, workspace, readies, versions))
        stages.reached("recorded")
    return versions


def _finish(workspace: Workspace, readies: Sequence[Ready], versions: Sequence[Version]) -> None:
    """What a commit leaves to do: the versions exist, and nobody has been told yet."""
    for ready, version in zip(readies, versions, strict=True):
        ready._fate.made = True
        ready.plan.store.committed(version.uuid, version.id)
    stages.reached("committed")
    workspace.manifests.write([version for version in versions if version.manifest])
    stages.reached("described")
    for ready in readies:
        if ready.plan.late and ready.plan.new.folder is not None:
            workspace.syncing.added(ready.contents.unsynced.keys())


def _brought(made: Plan) -> NewContents:
    """Bring files into the landing area, and return where their contents lie."""
    if made.taken is not None:
        made.taken.taken = True
    for file in made.wanted.values():
        if made.taken is None:
            _place_file(file, made, made.folder + b"/" + file.path)
        else:
            _check_unchanged(file, made.scanned)
    places = {digest: Place(made.folder + b"/" + file.path, made.landing.id) for digest, file in made.wanted.items()}
    return NewContents(places, unsynced=(small_contents(contents_of(made.wanted)) or {}) if made.late else {})


def _brought_again(ready: Ready, digests: Collection[bytes]) -> Ready:
    """Bring contents that were taken for stored, and are not (any more)."""
    made = ready.plan
    gone = wanted_of(made.files, made.landing, ready.workspace.catalog, digests)
    again_plan = replace(made, wanted=gone, taken=None, late=False)
    again = _brought(again_plan)
    made.landing.sync([*(at.path for at in again.places.values()), *_lists(again_plan)])
    return replace(ready, contents=replace(ready.contents, places={**ready.contents.places, **again.places}))


def _lists(made: Plan) -> list[bytes]:
    """Bring the lists of pieces of what was brought."""
    return pieces.write(made.landing, made.folder, (file.digest for file in made.wanted.values()))


def _sync(made: Plan, contents: NewContents, lists: Sequence[bytes]) -> None:
    """Return when what was brought, and the directory for the manifest, are on stable storage, unless that comes later.

    The directory is made first, so that it is synced with those above it.
    """
    if made.late:
        return
    owned = [*(at.path for at in contents.places.values() if at.owned), *lists]
    if made.new.folder is not None and (manifests := made.landing.manifest_files) is not None:
        manifests.prepare(made.folder)
        owned = owned or [made.folder]
    made.landing.sync(owned)


def _place_file(file: ScannedFile, made: Plan, target: bytes) -> None:
    # A file that its owner may not read has to be readable in the store: it cannot share the inode.
    readable = bool(file.entry.mode & 0o400)
    with (
        reachable(file.source_path) as source,
        contextlib.nullcontext() if readable else files.made_readable(source),
    ):
        made.landing.place(Path(os.fsdecode(source)), target, adopt=made.adopt and readable)
    stages.reached("placed")
    _check_unchanged(file, made.scanned)


def _check_unchanged(file: ScannedFile, scanned: Scanned) -> None:
    now = lstat(file.source_path)
    if (now.st_size, now.st_mtime_ns) != (file.digest.size, file.entry.mtime_ns):
        name = scanned.shown(file.source_path)
        raise ChangedWhileReading(f"'{name}' was changed while it was stored; try again", subject=name)


def _in_place_contents(made: Plan, workspace: Workspace) -> NewContents:
    pieces.write_in_place(workspace.home, (file.digest for file in made.scanned.files))
    places = {file.digest.digest: _in_place(file) for file in made.scanned.files}
    return NewContents(places, also_at=list(_more_in_place(made.scanned, places)))


def _in_place(file: ScannedFile) -> Place:
    return Place(file.source_path, owned=False, mtime_ns=file.entry.mtime_ns)


def _more_in_place(scanned: Scanned, places: Mapping[Digest, Place]) -> Iterator[tuple[Digest, Place]]:
    """Where else equal files of data in place lie: each is one more place of its content."""
    seen: Counter[Digest] = Counter()
    for file in scanned.files:
        digest = file.digest.digest
        seen[digest] += 1
        if places[digest].path != file.source_path and seen[digest] <= MOST_EQUAL_PLACES:
            yield digest, _in_place(file)
