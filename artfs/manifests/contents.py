"""What manifests say of versions, asked of the catalog: of many at once, and of the entries of one, page by page."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from artfs.catalog.values import encode
from artfs.content.digest import BLOCK_SIZE, Digest, format_digest
from artfs.content.tree import EntryKind
from artfs.names import PICTURES
from artfs.stores import manifest
from artfs.stores.manifest import Head, Line, ManifestInput, ManifestPicture, Producer, Value

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.lineage import StepFacts, Use, VersionFacts
    from artfs.catalog.trees import EntryRow
    from artfs.catalog.versions import Version
    from artfs.catalog.visualizations import Visualization

SMALL = 16
"""Files of a version whose entries are asked for together with those of others."""
_AT_ONCE = 500
"""Entries whose places are asked for together."""


def heads(catalog: Catalog, versions: Sequence[Version], home: str) -> list[Head]:
    """Return what versions say of themselves, beside their entries.

    Args:
        catalog: that knows them.
        versions: with the generation and the place that their manifests shall have.
        home: identity of the home that writes them.
    """
    ids = [version.id for version in versions]
    users = catalog.users.names({each.user_id for each in versions if each.user_id is not None})
    tags, metadata = catalog.tags.of_versions(ids), catalog.metadata.of_versions(ids)
    previous = _uuids(catalog, {each.previous_id for each in versions if each.previous_id is not None})
    pictures = catalog.visualizations.of_versions(ids)
    places = catalog.blobs.places_of({row.digest for rows in pictures.values() for row in rows})
    stores = _Stores(catalog)
    lineage = _Lineage(catalog, {each.producer_id for each in versions if each.producer_id is not None})
    return [
        Head(
            state=manifest.LIVE,
            generation=each.manifest,
            home=home,
            uuid=each.uuid,
            artifact=each.artifact,
            name=each.name,
            number=each.number,
            created_us=each.created_us,
            digest=format_digest(each.digest),
            mode=each.mode,
            mtime_ns=each.mtime_ns,
            files=each.files,
            bytes=each.bytes,
            type=each.type,
            save_type=each.save_type,
            materializer=each.materializer,
            data_type=each.data_type,
            trusted=each.trusted,
            user=users.get(each.user_id or 0),
            owner=each.owner,
            owner_group=each.owner_group,
            sealed_by=each.sealed_by,
            previous=previous.get(each.previous_id or 0),
            self_contained=each.self_contained,
            tags=tuple(tags.get(each.id, ())),
            metadata={key: _value(value) for key, value in metadata.get(each.id, {}).items()},
            producer=lineage.producer(each),
            inputs=tuple(lineage.inputs(each)),
            visualizations=_pictures(_Places(catalog, stores, each, places), pictures.get(each.id, ())),
        )
        for each in versions
    ]


def lines_of(catalog: Catalog, versions: Sequence[Version]) -> Iterator[Iterator[Line]]:
    """Yield for each version the entries of its tree, a directory before what is in it.

    Those of versions that are one small directory are asked for all at once.
    """
    small = {each.tree_id for each in versions if each.tree_id is not None and each.files <= SMALL}
    flat = catalog.trees.flat(small) if len(small) > 1 else {}
    places = catalog.blobs.places_of(
        {row.digest for rows in flat.values() for row in rows if row.digest and row.blob_id}
    )
    stores = _Stores(catalog)
    for version in versions:
        rows = flat.get(version.tree_id or 0)
        if rows is not None:
            yield (_line(row.name, row, _Places(catalog, stores, version, places)) for row in rows)
        else:
            yield _lines(catalog, stores, version)


def _lines(catalog: Catalog, stores: _Stores, version: Version) -> Iterator[Line]:
    assert version.tree_id is not None
    entries = catalog.trees.walk(version.tree_id)
    while page := list(islice(entries, _AT_ONCE)):
        found = catalog.blobs.places_of(_digests(row for _, row in page))
        places = _Places(catalog, stores, version, found)
        for path, row in page:
            yield _line(path, row, places)


def tombstone(head: Head, version: Version) -> Head:
    """Return what the tombstone of a version says that had that manifest."""
    return replace(
        head,
        state=manifest.PURGED,
        generation=head.generation + 1,
        purged_us=version.purged_us,
        purge_reason=version.purge_reason,
        visualizations=(),
    )


class _Lineage:
    """What made versions, and of what."""

    def __init__(self, catalog: Catalog, step_ids: Collection[int]) -> None:
        self._steps: dict[int, StepFacts] = {each.id: each for each in catalog.lineage.steps(step_ids)}
        self._uses: dict[int, list[Use]] = defaultdict(list)
        for use in catalog.lineage.read_by(step_ids):
            self._uses[use.step_run_id].append(use)
        read = {use.version_id for uses in self._uses.values() for use in uses}
        self._read: dict[int, VersionFacts] = {each.id: each for each in catalog.lineage.versions(read)}

    def producer(self, version: Version) -> Producer | None:
        step = self._steps.get(version.producer_id or 0)
        if step is None:
            return None
        return Producer(step.uuid, step.name, step.run_uuid, step.run, step.pipeline, step.run_kind)

    def inputs(self, version: Version) -> Iterator[ManifestInput]:
        for use in self._uses.get(version.producer_id or 0, ()):
            if use.version_id < version.id:
                of = self._read[use.version_id]
                yield ManifestInput(
                    use.slot, use.position, use.how, of.uuid, of.artifact, of.name, format_digest(of.digest)
                )


class _Stores:
    """The names of stores, looked up when they are first needed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._names: dict[int, str] | None = None

    def name(self, store_id: int) -> str:
        if self._names is None:
            self._names = {row.id: row.name for row in self._catalog.stores.list()}
        return self._names[store_id]


class _Places:
    """Where contents lie, as seen from the folder of a version."""

    def __init__(
        self,
        catalog: Catalog,
        stores: _Stores,
        version: Version,
        places: Mapping[Digest, Sequence[BlobPlace]],
    ) -> None:
        self._catalog = catalog
        self._stores = stores
        self._version = version
        self._places = places

    def of(self, digest: Digest, path: bytes) -> dict[str, str]:
        """The keys that say where the content of a file at a path in the version lies; none if it is where expected."""
        place = self._best(digest, path)
        if place is None:
            return {}
        if place.store_id is None:
            return {"at": os.fsdecode(place.path)}
        if place.store_id != self._version.folder_store_id:
            return {"key": os.fsdecode(place.path), "store": self._stores.name(place.store_id)}
        is_own = place.path == self._own(path)
        return {} if is_own else {"key": os.fsdecode(place.path)}

    def blocks(self, digest: Digest, size: int) -> dict[str, str]:
        """The digests of a large content's blocks."""
        blob = self._catalog.blobs.get(digest) if size > BLOCK_SIZE else None
        return {"blocks": blob.blocks.hex()} if blob is not None and blob.blocks is not None else {}

    def _best(self, digest: Digest, path: bytes) -> BlobPlace | None:
        places = self._places.get(digest, [])
        own = self._own(path)
        if self._version.store_id is None:  # data in place: a store may have the same bytes
            in_place = [each for each in places if each.store_id is None]
            return next((each for each in in_place if each.path.endswith(b"/" + path)), next(iter(in_place), None))
        in_store = [each for each in places if each.store_id == self._version.folder_store_id]
        return next((each for each in in_store if each.path == own), next(iter([*in_store, *places]), None))

    def _own(self, path: bytes) -> bytes:
        return (self._version.folder or b"") + b"/" + path


def _digests(rows: Iterable[EntryRow]) -> set[Digest]:
    return {row.digest for row in rows if row.blob_id is not None and row.digest is not None}


def _line(path: bytes, row: EntryRow, places: _Places) -> Line:
    name, depth = os.fsdecode(row.name), path.count(b"/")
    if row.kind == EntryKind.SYMLINK:
        return Line(name, depth, row.mode, row.mtime_ns, target=os.fsdecode(row.target or b""))
    if row.blob_id is None or row.digest is None:
        return Line(name, depth, row.mode, row.mtime_ns)
    return Line(
        name,
        depth,
        row.mode,
        row.mtime_ns,
        format_digest(row.digest),
        row.size,
        **places.of(row.digest, path),
        **places.blocks(row.digest, row.size),
    )


def _pictures(places: _Places, rows: Sequence[Visualization]) -> tuple[ManifestPicture, ...]:
    return tuple(
        ManifestPicture(
            row.name,
            row.kind,
            format_digest(row.digest),
            row.size,
            **places.of(row.digest, PICTURES + row.name.encode()),
            **places.blocks(row.digest, row.size),
        )
        for row in rows
    )


def _value(value: object) -> Value:
    encoded = encode(value)
    return Value(encoded.type, encoded.text, encoded.number, encoded.json)


def _uuids(catalog: Catalog, version_ids: Collection[int]) -> Mapping[int, str]:
    return {each.id: each.uuid for each in catalog.versions.by_ids(version_ids)} if version_ids else {}
