"""Visualizations of a version to be: files that show it to people, and are not among its own.

They lie in `<artifact>/<version's uuid>.visualizations`, and count as a part of what was placed for the version. One
with the same bytes as a file of the version is not stored again: it is read from where that file lies.
"""

from __future__ import annotations

import os
import uuid as uuids
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.lookup import shown_name
from artfs.content.digest import Digest, FileDigest, hash_bytes, hash_file
from artfs.errors import DigestMismatch, StoreError

if TYPE_CHECKING:
    from artfs.artifacts.measure import Measured
    from artfs.catalog.blobs import Place
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.catalog.visualizations import Visualization
    from artfs.stores.base import Store
    from artfs.workspace import Workspace

SUFFIX = ".visualizations"


@dataclass(frozen=True, slots=True)
class Shown:
    """A visualization of a version to be.

    Args:
        source: the file.
        name: what it is called in the version's `.artfs/visualizations`.
        kind: csv, html, image, markdown or json.
    """

    source: Path
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A visualization that is ready to be recorded.

    Args:
        at: its own place in the store, or that of the version's file that it is; None when it is a file of another
            version.
    """

    shown: Shown
    file: FileDigest
    at: bytes | None


def place_visualizations(
    visualizations: Sequence[Shown],
    measured: Measured,
    store: Store,
    catalog: Catalog,
    artifact: str,
    uuid: str,
    placed: Mapping[Digest, Place],
    claims: ExitStack,
) -> list[Placed]:
    """Bring visualizations into the store, durably.

    Args:
        visualizations: what to bring.
        measured: what the version will hold: some of it may be what shows it.
        store: of the version.
        catalog: knows what else is in the store.
        artifact, uuid: of the version.
        placed: where contents were brought to in the store for the version.
        claims: keeps the claim on their directory until the version is there.
    """
    directory = _directory(artifact, uuid)
    hashed = {file.source_path: file.digest for file in measured.files}
    found: list[Placed] = []
    own: list[bytes] = []
    for shown in visualizations:
        file = hashed.get(os.fsencode(shown.source)) or hash_file(shown.source)
        at = placed[file.digest].path if file.digest in placed else None
        if at is None and _place_of(catalog, store, file.digest) is None:
            if not own:
                claims.enter_context(store.claim(directory))
            at = _place(shown, store, directory)
            own.append(at)
        found.append(Placed(shown, file, at))
    store.sync(own)
    return found


def read_visualization(workspace: Workspace, version: Version, row: Visualization) -> bytes:
    """Return the bytes of a visualization, checked.

    Raises:
        StoreError: the version has no store.
        FileNotFoundError: they are gone.
        DigestMismatch: they are not what was stored.
    """
    if version.store_id is None:
        raise StoreError(f"the visualization '{row.name}' of {shown_name(version)} lies in no store", subject=row.name)
    if workspace.catalog.blobs.at(version.store_id, [row.path]):
        # It is a file of a version, which may lie in other places too.
        with workspace.blobs.open(row.digest) as blob:
            return bytes(blob.read(0, row.size))
    store = workspace.stores.by_id(version.store_id)
    with store.open_place(row.path) as reader:
        content = reader.pread(0, row.size + 1)
    if hash_bytes(content) != row.digest:
        raise DigestMismatch(f"'{store.place_path(row.path)}' is damaged: save the version again", subject=row.name)
    return content


def record_visualizations(placed: Sequence[Placed], store: Store, catalog: Catalog, version: Version) -> None:
    """Record visualizations of a version, in the transaction that makes it: then the files that it shares stay.

    A file that one shared with another version, which is gone by now, is placed first.
    """
    for each in placed:
        at = each.at or _place_of(catalog, store, each.file.digest)
        if at is None:
            at = _place(each.shown, store, _directory(version.artifact, version.uuid))
            store.sync([at])
        catalog.visualizations.add(version.id, each.shown.name, each.shown.kind, at, each.file.digest, each.file.size)


def _directory(artifact: str, uuid: str) -> bytes:
    return os.fsencode(f"{artifact}/{uuids.UUID(uuid).hex}{SUFFIX}")


def _place(shown: Shown, store: Store, directory: bytes) -> bytes:
    return store.place(shown.source, directory + b"/" + os.fsencode(shown.name))


def _place_of(catalog: Catalog, store: Store, digest: Digest) -> bytes | None:
    """Where a content lies in a store."""
    blob = catalog.blobs.get(digest)
    places = catalog.blobs.places(blob.id) if blob is not None else []
    return next((place.path for place in places if place.owned and place.store_id == store.id), None)
