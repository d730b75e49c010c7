"""What has to be brought for a version to be: found out before anything is changed."""

from __future__ import annotations

import os
import uuid as uuids
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.scan import Scanned, ScannedFile, scan
from artfs.catalog.new_version import NewVersion, NewVisualization
from artfs.content import files
from artfs.content.digest import Digest
from artfs.content.tree import EntryKind, Tree
from artfs.enums import ArtifactSaveType
from artfs.errors import MissingPlace, VersionExists
from artfs.names import PICTURES, check_artifact_name, version_folder
from artfs.stages import stages
from artfs.transfers.syncing import SMALL_VERSION, small_contents

if TYPE_CHECKING:
    from artfs.artifacts.staging import Staging
    from artfs.catalog.catalog import Catalog
    from artfs.stores.base import Store

MOST_LATE_ENTRIES = 1000
"""Files and directories of a version whose manifest may be written later, beside others."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A visualization of a version to be.

    Args:
        file: as it was scanned; its path is the one that it will have below the version's folder.
        kind: csv, html, image, markdown or json.
    """

    file: ScannedFile
    kind: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be brought for a version.

    Args:
        new: the version to be.
        scanned: what it will hold.
        pictures: what will show it to people.
        wanted: of each content that has to be brought, one file.
        landing, store: where bytes land, and the version's own store.
        adopt: the landing area may take the files themselves (hard links), as nobody writes to them any more.
            Otherwise it gets copies.
        taken: the directory that was scanned, if the version takes it over.
        late: its manifest, and the sync of what it brings, may come later.
    """

    new: NewVersion
    scanned: Scanned
    pictures: Sequence[Picture]
    wanted: Mapping[Digest, ScannedFile]
    landing: Store
    store: Store
    adopt: bool
    taken: Staging | None
    late: bool

    @property
    def folder(self) -> bytes:
        """The version's folder, in the landing area and in its own store."""
        return version_folder(self.new.artifact, self.new.uuid)

    @property
    def files(self) -> list[ScannedFile]:
        """All files of the version, and what shows it."""
        return [*self.scanned.files, *(each.file for each in self.pictures)]

    @property
    def needs_folder(self) -> bool:
        """Whether anything is put there before the commit: of data in place at most the manifest, which may be late."""
        return not self.scanned.in_place or (self.new.folder is not None and not self.late)


def picture(source: str | Path, name: str, kind: str, scanned: Scanned) -> Picture:
    """Measure a visualization of a version to be.

    Args:
        source: the file; one of those that were scanned, or another.
        name: what it is called below the version's `.artfs/visualizations`.
        kind: csv, html, image, markdown or json.
        scanned: what the version will hold.
    """
    at = os.fsencode(source)
    same = next((file for file in scanned.files if file.source_path == at), None)
    file = same or scan(source, entry_name=os.fsencode(name), keep=SMALL_VERSION, is_new=True).files[0]
    return Picture(replace(file, path=PICTURES + os.fsencode(name)), kind)


def plan(
    scanned: Scanned,
    new: NewVersion,
    catalog: Catalog,
    landing: Store,
    store: Store,
    *,
    adopt: bool = True,
    staging: Staging | None = None,
    pictures: Sequence[Picture] = (),
) -> Plan:
    """Find out what has to be brought for a version; nothing is changed.

    Args:
        scanned: what it will hold.
        new: what it says of itself. What follows from `scanned` and the stores is filled in here.
        catalog: knows what there is already.
        landing, store, adopt, pictures: as of `Plan`.
        staging: the directory that was scanned, if it is one of those: the version takes it over where it can, and its
            id with it.

    Raises:
        InvalidName: the artifact or version cannot be called so.
        VersionExists: the artifact has had a version of that name.
        MissingPlace: the bytes of a stand-in are gone.
    """
    check_artifact_name(new.artifact)
    new.check()
    if new.name is not None:
        _check_free(catalog, new.artifact, new.name)
    found = [*scanned.files, *(each.file for each in pictures)]
    wanted = {} if scanned.in_place else wanted_of(found, landing, catalog)
    taken = staging if staging and adopt and _can_take(staging, scanned, landing, wanted, pictures) else None
    if staging is not None and taken is None:
        new = replace(new, uuid=str(uuids.uuid4()))
    late = not catalog.engine.is_remote and small_contents(contents_of(wanted)) is not None and _is_short(scanned.tree)
    made = Plan(new, scanned, pictures, wanted, landing, store, adopt, taken, late)
    stages.reached("planned")
    return replace(made, new=_completed(made))


def contents_of(wanted: Mapping[Digest, ScannedFile]) -> dict[Digest, bytes | None]:
    """Return the bytes of files, as far as they were kept when they were scanned."""
    return {digest: file.content for digest, file in wanted.items()}


def _check_free(catalog: Catalog, artifact: str, name: str) -> None:
    """Say at once what the commit would say after all bytes were brought."""
    row = catalog.artifacts.get(artifact)
    if row is not None and catalog.versions.get(row.id, name) is not None:
        raise VersionExists(
            f"artifact '{artifact}' already has, or had, a version '{name}'; choose another name", subject=name
        )


def _completed(made: Plan) -> NewVersion:
    """The version to be with what follows from what it holds, and where."""
    keeps = made.store.manifest_files is not None
    in_place = made.scanned.in_place
    return replace(
        made.new,
        tree=made.scanned.tree,
        mode=made.scanned.mode,
        mtime_ns=made.scanned.mtime_ns,
        save_type=ArtifactSaveType.PREEXISTING.value if in_place else made.new.save_type,
        store_id=None if in_place else made.store.id,
        self_contained=made.scanned.self_contained,
        folder=made.folder if keeps else None,
        folder_store_id=made.store.id if keeps else None,
        manifest=int(keeps and not made.late),
        visualizations=tuple(
            NewVisualization(os.fsdecode(each.file.path.removeprefix(PICTURES)), each.kind, each.file.digest)
            for each in made.pictures
        ),
    )


def wanted_of(
    found: Sequence[ScannedFile], landing: Store, catalog: Catalog, only: Collection[bytes] | None = None
) -> dict[Digest, ScannedFile]:
    """One file for each content that has to be brought; of `only` these contents all of them, whatever is there."""
    stored = catalog.blobs.known({file.digest.digest for file in found}) if only is None else {}
    wanted: dict[Digest, ScannedFile] = {}
    stand_ins: set[Digest] = set()
    for file in found:
        digest = file.digest.digest
        known = stored.get(digest)
        if only is not None and digest not in only:
            continue
        if (
            known is not None
            and known.owned
            and (file.stand_in or _is_there(known.blob_id, file.digest.size, landing, catalog))
        ):
            continue
        if file.stand_in:
            stand_ins.add(digest)
        else:
            wanted.setdefault(digest, file)
    if gone := stand_ins - wanted.keys():
        raise MissingPlace(gone)
    return wanted


def _is_there(blob_id: int, size: int, landing: Store, catalog: Catalog) -> bool:
    """Whether the bytes that the catalog knows of have not been deleted behind its back; asked only of local files."""
    for at in catalog.blobs.places(blob_id):
        if not at.owned:
            continue
        if at.store_id != landing.id or not landing.is_local:
            return True
        try:
            with landing.open_place(at.path) as reader:
                if reader.size == size:
                    return True
        except FileNotFoundError:
            continue
    return False


def _can_take(
    staging: Staging,
    scanned: Scanned,
    landing: Store,
    wanted: Mapping[Digest, ScannedFile],
    pictures: Sequence[Picture],
) -> bool:
    """Whether all that is in a directory, and nothing else, is what the landing area wants of a version to be."""
    top = os.fsencode(f"{staging.path}/")
    own = [each.file for each in pictures if each.file.source_path == top + each.file.path]
    return (
        staging.store is landing
        and len(wanted) == len(scanned.files) + len(own)
        and all(file.entry.mode & 0o400 for file in scanned.files)
        and {file.source_path for file in own} == set(_files_below(os.fsencode(staging.pictures)))
        and _has_only_all_files(scanned.tree)
    )


def _files_below(directory: bytes) -> Iterator[bytes]:
    return files.walk_files(directory) if os.path.isdir(directory) else iter(())


def _has_only_all_files(tree: Tree) -> bool:
    """Whether there are neither links nor empty directories below."""
    return bool(tree.entries) and all(
        entry.kind == EntryKind.FILE or (entry.tree is not None and bool(entry.tree.entries))
        for _, entry in tree.walk()
    )


def _is_short(tree: Tree) -> bool:
    return tree.files + tree.directories <= MOST_LATE_ENTRIES
