"""The one way a version comes to be: measure, place, commit.

    measure   what is there, with digests                                     (artfs.artifacts.measure)
    place     bytes that no store has yet go to `<artifact>/<version's uuid>/<path>`, and are made durable
    commit    the rows: from here on the version exists. Small files are made durable here (`transfers.syncing`)

A crash before the commit leaves a directory of a version that never came to be: an orphan (`artfs.artifacts.orphans`).
Whoever makes a version claims that directory until the commit is through, so that its unfinished work is not taken for
one. A crash after the commit leaves nothing to do.
"""

from __future__ import annotations

import contextlib
import functools
import os
import uuid as uuids
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from artfs.artifacts import shown
from artfs.artifacts.measure import Elsewhere, Known, Measured, MeasuredFile, measure, measure_in_place
from artfs.artifacts.orphans import remove_attempt
from artfs.blobs import pieces
from artfs.catalog.blobs import Place
from artfs.catalog.versions import NOTHING_UNSYNCED
from artfs.content import files
from artfs.content.digest import Digest
from artfs.content.long_paths import lstat, reachable
from artfs.content.long_paths import shown as shown_path
from artfs.content.tree import Kind, Tree
from artfs.enums import ArtifactSaveType
from artfs.errors import ChangedWhileReading, MissingPlace, VersionExists
from artfs.names import check_artifact_name, check_version_name
from artfs.transfers.syncing import small_contents

if TYPE_CHECKING:
    from artfs.artifacts.staging import Staging
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.stores.base import Store
    from artfs.workspace import Workspace

__all__ = [
    "Elsewhere",
    "Known",
    "Measured",
    "MeasuredFile",
    "Places",
    "VersionFacts",
    "commit",
    "measure",
    "measure_in_place",
    "place",
    "placed",
    "seal",
]

Places = dict[Digest, Place]

MOST_EQUAL_PLACES = 64
"""Of so many equal files that are registered, the places are kept: whoever reads one goes through them all."""


class VersionFacts(TypedDict, total=False):
    """What a version says of itself beside its content; see `catalog.versions.create`."""

    name: str | None
    tags: Sequence[str]
    type: str
    save_type: str
    materializer: str | None
    data_type: str | None
    trusted: bool
    producer_id: int | None
    user: str | None
    metadata: Mapping[str, object] | None


def seal(
    measured: Measured,
    workspace: Workspace,
    artifact: str,
    *,
    uuid: str | None = None,
    store: Store | None = None,
    adopt: bool = True,
    visualizations: Sequence[shown.Shown] = (),
    **facts: Unpack[VersionFacts],
) -> Version:
    """Make a version of what was measured: all of it, or nothing.

    Args:
        measured: what it will hold.
        workspace: where.
        artifact: name; made if there is none.
        uuid: the version's id, when the caller has to know it before; else a new one.
        store: where new bytes go; the active stack's when not given.
        adopt: the store may take the measured files themselves (hard links), as nobody writes to them any more.
            Otherwise it gets copies.
        visualizations: what shows the version to people.
        facts: the rest of what the version says of itself.

    Raises:
        InvalidName: the artifact or version cannot be called so.
        VersionExists: the artifact has had a version of that name.
        ChangedWhileReading: a measured file was written to before it was in the store.
        OSError: the store cannot take the bytes.
    """
    with placed(
        measured, workspace, artifact, uuid=uuid, store=store, adopt=adopt, visualizations=visualizations, **facts
    ) as make:
        return make()


@contextlib.contextmanager
def placed(
    measured: Measured,
    workspace: Workspace,
    artifact: str,
    *,
    uuid: str | None = None,
    store: Store | None = None,
    adopt: bool = True,
    staging: Staging | None = None,
    visualizations: Sequence[shown.Shown] = (),
    **facts: Unpack[VersionFacts],
) -> Iterator[Callable[[], Version]]:
    """Bring the bytes of a version to be into the store, and give the function that makes the version.

    So several versions can come to be together: place all, then make all in one transaction. What was placed is removed
    when the block fails. The other arguments, and what is raised, are as for `seal`.

    Args:
        staging: the directory that was measured, if it is one of those: the version takes it over where it can.
    """
    check_artifact_name(artifact)
    catalog, store = workspace.catalog, store or workspace.stores.active
    if (name := facts.get("name")) is not None:
        _check_free(catalog, artifact, check_version_name(name))
    facts.setdefault("user", workspace.user)
    wanted = {} if measured.in_place else _sources(measured, store, catalog, None)
    if measured.in_place:
        pieces.write_in_place(workspace.home, (file.digest for file in measured.files))
    taken = staging if staging and adopt and _can_take(staging, measured, store, wanted, visualizations) else None
    uuid = taken.uuid if taken else uuid or str(uuids.uuid4())
    unsynced: Mapping[Digest, bytes] = {}
    try:
        with contextlib.ExitStack() as claims:
            if taken:
                places = {digest: _place(taken.directory, file, store) for digest, file in wanted.items()}
                unsynced = _take(taken, wanted, catalog)
            else:
                claims.enter_context(_claimed(measured, store, artifact, uuid))
                places = _bring(measured, wanted, store, artifact, uuid, adopt=adopt)
            pictures = (
                shown.place_visualizations(visualizations, measured, store, catalog, artifact, uuid, places, claims)
                if visualizations
                else []
            )

            def record(version: Version) -> None:
                shown.record_visualizations(pictures, store, catalog, version)

            yield functools.partial(
                commit,
                measured,
                store,
                catalog,
                artifact,
                uuid,
                places,
                adopt=adopt,
                unsynced=unsynced,
                complete=record,
                **facts,
            )
        if unsynced:
            workspace.syncing.added(unsynced.keys())
    except BaseException:
        # Unless the version came to be after all, which only the catalog can tell.
        if taken:
            taken.taken = catalog.versions.by_uuid(uuid) is not None
        else:
            remove_attempt(store, catalog, artifact, uuid)
        raise


def place(
    measured: Measured,
    store: Store,
    catalog: Catalog,
    artifact: str,
    uuid: str,
    *,
    only: Collection[bytes] | None = None,
    adopt: bool = True,
) -> Places:
    """Bring what no store has yet into the store, durably, and return where each content lies.

    Data measured in place is left where it is.

    Args:
        only: digests of the contents to look at; all when not given.

    The other arguments, and what is raised, are as for `seal`; MissingPlace when the bytes of a stand-in are gone.
    """
    wanted = {} if measured.in_place else _sources(measured, store, catalog, only)
    return _bring(measured, wanted, store, artifact, uuid, adopt=adopt)


def commit(
    measured: Measured,
    store: Store,
    catalog: Catalog,
    artifact: str,
    uuid: str,
    places: Places,
    *,
    adopt: bool = True,
    unsynced: Mapping[Digest, bytes] = NOTHING_UNSYNCED,
    complete: Callable[[Version], None] | None = None,
    **facts: Unpack[VersionFacts],
) -> Version:
    """Make the version's rows. Bytes that were in a store when `place` looked and are gone by now are placed first.

    Args:
        places: what `place` returned.
        unsynced, complete: as for `catalog.versions.create`.

    The other arguments, and what is raised, are as for `seal`.
    """
    if measured.in_place:
        facts["save_type"] = ArtifactSaveType.PREEXISTING.value

    def complete_and_remember(version: Version) -> None:
        if complete is not None:
            complete(version)
        if version.number is not None:
            store.numbered(artifact, version.number + 1)
        catalog.after_commit(functools.partial(store.committed, version.uuid, version.id))

    def create() -> Version:
        return catalog.versions.create(
            artifact,
            measured.tree,
            uuid=uuid,
            places=places,
            also_at=_more_in_place(measured, places) if measured.in_place else (),
            mode=measured.mode,
            mtime_ns=measured.mtime_ns,
            store_id=None if measured.in_place else store.id,
            unsynced=unsynced,
            complete=complete_and_remember,
            **facts,
        )

    try:
        return create()
    except MissingPlace as gone:
        more = place(measured, store, catalog, artifact, uuid, only=gone.digests, adopt=adopt)
        places = {**places, **more}
    return create()


def _check_free(catalog: Catalog, artifact: str, name: str) -> None:
    """Say at once what the commit would say after all bytes were placed."""
    row = catalog.artifacts.get(artifact)
    if row is not None and catalog.versions.get(row.id, name) is not None:
        raise VersionExists(
            f"artifact '{artifact}' already has, or had, a version '{name}'; choose another name", subject=name
        )


def _claimed(measured: Measured, store: Store, artifact: str, uuid: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext() if measured.in_place else store.claim(_directory(artifact, uuid))


def _sources(
    measured: Measured, store: Store, catalog: Catalog, only: Collection[bytes] | None
) -> dict[Digest, MeasuredFile]:
    """One file for each content that has to be placed."""
    stored = catalog.blobs.known({file.digest.digest for file in measured.files}) if only is None else {}
    wanted: dict[Digest, MeasuredFile] = {}
    stand_ins: set[Digest] = set()
    for file in measured.files:
        digest = file.digest.digest
        known = stored.get(digest)
        if only is not None and digest not in only:
            continue
        if (
            known is not None
            and known.owned
            and (file.stand_in or _is_there(known.blob_id, file.digest.size, store, catalog))
        ):
            continue
        if file.stand_in:
            stand_ins.add(digest)
        else:
            wanted.setdefault(digest, file)
    if gone := stand_ins - wanted.keys():
        raise MissingPlace(gone)
    return wanted


def _is_there(blob_id: int, size: int, store: Store, catalog: Catalog) -> bool:
    """Whether the bytes that the catalog knows of have not been deleted behind its back; asked only of local files."""
    for at in catalog.blobs.places(blob_id):
        if not at.owned:
            continue
        if at.store_id != store.id or not store.is_local:
            return True
        try:
            with store.open_place(at.path) as reader:
                if reader.size == size:
                    return True
        except FileNotFoundError:
            continue
    return False


def _can_take(
    staging: Staging,
    measured: Measured,
    store: Store,
    wanted: Mapping[Digest, MeasuredFile],
    visualizations: Sequence[shown.Shown],
) -> bool:
    """Whether all that is in a directory, and nothing else, is what the store wants of a version to be."""
    inside = f"{staging.path}/"
    return (
        staging.store is store
        and len(wanted) == len(measured.files)
        and all(file.entry.mode & 0o400 for file in measured.files)
        and all(os.fspath(each.source).startswith(inside) for each in visualizations)
        and _has_only_files(measured.tree)
    )


def _take(staging: Staging, wanted: Mapping[Digest, MeasuredFile], catalog: Catalog) -> Mapping[Digest, bytes]:
    """Make a directory that of the version, and return the bytes of its files if their sync may wait."""
    staging.taken = True
    kept = {digest: file.content for digest, file in wanted.items()}
    small = None if catalog.engine.is_remote else small_contents(kept)
    if small is None:
        pieces.write(staging.store, staging.directory, (file.digest for file in wanted.values()))
        staging.sync()
    for file in wanted.values():
        _check_unchanged(file)
    return small or {}


def _has_only_files(tree: Tree) -> bool:
    """Whether there are neither links nor empty directories below."""
    return bool(tree.entries) and all(
        entry.kind == Kind.FILE or (entry.tree is not None and bool(entry.tree.entries)) for _, entry in tree.walk()
    )


def _bring(
    measured: Measured,
    wanted: Mapping[Digest, MeasuredFile],
    store: Store,
    artifact: str,
    uuid: str,
    *,
    adopt: bool,
) -> Places:
    """Bring files into the store, durably, and return where each content lies."""
    if measured.in_place:
        return {file.digest.digest: _in_place(file) for file in measured.files}
    directory = _directory(artifact, uuid)
    for file in wanted.values():
        _place_file(file, store, directory + b"/" + file.path, adopt=adopt)
    places = {digest: _place(directory, file, store) for digest, file in wanted.items()}
    lists = pieces.write(store, directory, (file.digest for file in wanted.values()))
    store.sync([*(at.path for at in places.values()), *lists])
    return places


def _place(directory: bytes, file: MeasuredFile, store: Store) -> Place:
    return Place(directory + b"/" + file.path, store.id)


def _place_file(file: MeasuredFile, store: Store, target: bytes, *, adopt: bool) -> None:
    # A file that its owner may not read has to be readable in the store: it cannot share the inode.
    readable = bool(file.entry.mode & 0o400)
    with (
        reachable(file.source_path) as source,
        contextlib.nullcontext() if readable else files.made_readable(source),
    ):
        store.place(Path(os.fsdecode(source)), target, adopt=adopt and readable)
    _check_unchanged(file)


def _check_unchanged(file: MeasuredFile) -> None:
    now = lstat(file.source_path)
    if (now.st_size, now.st_mtime_ns) != (file.digest.size, file.entry.mtime_ns):
        name = shown_path(file.source_path)
        raise ChangedWhileReading(f"'{name}' was changed while it was stored; try again", subject=name)


def _in_place(file: MeasuredFile) -> Place:
    return Place(file.source_path, owned=False, mtime_ns=file.entry.mtime_ns)


def _more_in_place(measured: Measured, places: Places) -> list[tuple[Digest, Place]]:
    """Where else equal files of data in place lie: each is one more place of its content."""
    found: list[tuple[Digest, Place]] = []
    seen: Counter[Digest] = Counter()
    for file in measured.files:
        digest = file.digest.digest
        seen[digest] += 1
        if digest in places and places[digest].path != file.source_path and seen[digest] <= MOST_EQUAL_PLACES:
            found.append((digest, _in_place(file)))
    return found


def _directory(artifact: str, uuid: str) -> bytes:
    return os.fsencode(f"{artifact}/{uuids.UUID(uuid).hex}")
