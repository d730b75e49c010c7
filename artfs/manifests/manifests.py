"""What a store knows of its versions without a catalog: manifests are written, replaced by tombstones, and compared.

    at once    by whoever makes a version, when its rows are committed and before it says so to anybody
    late       for versions that brought little: with the sync of small contents (`syncing`), many at a time
    gc         for those that an earlier release made, and those that a kill left without

A manifest is always made of what the catalog says, after the commit: there is none of a version that never came to be.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from artfs.catalog.engine import chunks
from artfs.catalog.version_rows import PURGED
from artfs.errors import ArtfsError, ManifestInvalid
from artfs.manifests.contents import heads, lines_of, tombstone
from artfs.names import version_folder
from artfs.stores import manifest

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.home.home import Home
    from artfs.home.stores import HomeStores
    from artfs.stores.base import ManifestFiles, Store
    from artfs.stores.manifest import Manifest

logger = logging.getLogger(__name__)

AT_ONCE = 256
"""Manifests that are written before they are synced together."""
_FIRST = 1


class Manifests:
    """The manifests of a home's versions. Safe to use from many threads and processes.

    Args:
        home: whose versions they are.
        catalog: gives the catalog that knows them.
        stores: where they are.
    """

    def __init__(self, home: Home, catalog: Callable[[], Catalog], stores: HomeStores) -> None:
        self._home = home
        self._get_catalog = catalog
        self._stores = stores

    def write(self, versions: Sequence[Version]) -> None:
        """Write manifests of versions whose folders are there, and return when they are on stable storage.

        What cannot be written is logged, and owed from then on: the versions are there all the same.
        """
        for version in versions:
            try:
                self._write(version)
            except (ArtfsError, OSError) as error:
                logger.warning("the manifest of %s is still to be written: %s", version.shown_name, error)
                self._owe(version)

    def rewrite(self, version_id: int) -> None:
        """Write the manifest of a version anew, as what it says has changed; one that is still owed comes later.

        Raises:
            ArtfsError, OSError: it cannot be written; then it is as before.
        """
        version = self._catalog.versions.by_id(version_id)
        if version is None or version.state == PURGED or not version.manifest:
            return
        version = replace(version, manifest=version.manifest + 1)
        self._write(version)
        self._settle([version])

    def write_owed(self) -> None:
        """Write the manifests that versions were made without, because they brought little.

        Raises:
            ArtfsError, OSError: the first of what went wrong; all that could be written is.
        """
        self._write_all(self._catalog.versions.owed_manifests)

    def write_missing(self) -> None:
        """Write the manifests of versions that an earlier release made; see `write_owed`."""
        self._write_all(self._of_earlier_releases)

    def bury(self, uuids: Iterable[str]) -> None:
        """Replace the manifests of versions that were purged by tombstones, which stay; where there is none, none is.

        Raises:
            ArtfsError, OSError: the first of what went wrong; all that could be replaced is.
        """
        failures: list[Exception] = []
        for part in chunks(list(uuids), AT_ONCE):
            versions = [each for each in self._catalog.versions.by_uuids(part).values() if each.folder is not None]
            written: dict[Store, list[bytes]] = defaultdict(list)
            for version, head in zip(versions, heads(self._catalog, versions, self._home.identity), strict=True):
                try:
                    store = self._store_of(version)
                    if self.state_of(store, _folder(version)) == manifest.LIVE:
                        pieces = manifest.written(tombstone(head, version), (), self._home.manifest_key)
                        written[store].append(_files_in(store).write(_folder(version), pieces, durable=False))
                except (ArtfsError, OSError) as error:
                    failures.append(error)
            for store, places in written.items():
                store.sync(places)
        if failures:
            raise failures[0]

    def state_of(self, store: Store, folder: bytes) -> str | None:
        """Return the state that the manifest in a folder says; None if there is none, or one that was spoilt."""
        try:
            file = _files_in(store).open(folder)
        except ManifestInvalid:
            return None
        if file is None:
            return None
        with file:
            return manifest.state_of(file)

    def read(self, version: Version) -> Manifest | None:
        """Return the manifest of a version; None if there is none.

        Raises:
            ManifestInvalid: it is damaged.
        """
        if version.folder is None or version.folder_store_id is None:
            return None
        file = _files_in(self._stores.by_id(version.folder_store_id)).open(version.folder)
        if file is None:
            return None
        with file:
            return manifest.read(file, version.folder, self._home.manifest_key)

    def mend(self, version: Version) -> None:
        """Write the manifest of a version again if there is none that can be read, as after a crash of the machine.

        Raises StoreError if there is none, in the store of another home.
        """
        try:
            if self.read(version) is not None:
                return
        except ManifestInvalid as error:
            logger.info("the manifest of %s is written again: %s", version.shown_name, error)
        if version.folder is not None:
            self._store_of(version)
        self.write([version])

    def differences(self, version: Version) -> list[str]:
        """Return in which respects a version's manifest says other things than the catalog, of what never changes."""
        found = self.read(version)
        if found is None:
            return ["there is none"]
        [head] = heads(self._catalog, [version], self._home.identity)
        wrong = [
            f"{name} is {getattr(found.head, name)!r} instead of {getattr(head, name)!r}"
            for name in _NEVER_CHANGES
            if getattr(found.head, name) != getattr(head, name)
        ]
        if not found.trusted:
            wrong.append("this home has not written it, or it was changed")
        if version.tree_id is not None and found.tree != self._catalog.trees.load(version.tree_id):
            wrong.append("it lists other entries")
        return wrong

    @property
    def _catalog(self) -> Catalog:
        return self._get_catalog()

    def _store_of(self, version: Version) -> Store:
        """The store that a manifest is written to; one of another home is refused, and may be read all the same."""
        assert version.folder_store_id is not None
        store = self._stores.by_id(version.folder_store_id)
        self._stores.check_own(store)
        return store

    def _write(self, version: Version) -> None:
        [head], [lines] = heads(self._catalog, [version], self._home.identity), lines_of(self._catalog, [version])
        pieces = manifest.written(head, lines, self._home.manifest_key)
        _files_in(self._store_of(version)).write(_folder(version), pieces, durable=True)

    def _owe(self, version: Version) -> None:
        """Take note that a manifest is missing; where not even that can be written, a collection of garbage sees it."""
        try:
            self._catalog.versions.described([replace(version, manifest=0)])
        except (ArtfsError, OSError) as error:
            logger.warning("the catalog takes the manifest of %s for written: %s", version.shown_name, error)

    def _write_all(self, owed: Callable[[int, int], Sequence[Version]]) -> None:
        after, failures = 0, list[Exception]()
        while versions := owed(after, AT_ONCE):
            after = versions[-1].id
            failures += self._write_batch([self._placed(version) for version in versions])
        if failures:
            raise failures[0]

    def _write_batch(self, versions: Sequence[Version]) -> list[Exception]:
        """Write some manifests, sync them together, and take note of that; return what went wrong."""
        failures: list[Exception] = []
        written: dict[Store, list[tuple[Version, bytes]]] = defaultdict(list)
        its_heads, its_lines = heads(self._catalog, versions, self._home.identity), lines_of(self._catalog, versions)
        for version, head, lines in zip(versions, its_heads, its_lines, strict=True):
            try:
                store = self._store_of(version)
                pieces = manifest.written(head, lines, self._home.manifest_key)
                place = _files_in(store).write(_folder(version), pieces, durable=False)
                written[store].append((version, place))
            except (ArtfsError, OSError) as error:
                failures.append(error)
        for store, done in written.items():
            try:
                store.sync([place for _, place in done])
            except OSError as error:
                failures.append(error)
                continue
            self._settle([version for version, _ in done])
        return failures

    def _settle(self, versions: Sequence[Version]) -> None:
        """Take note of manifests that are durable. Of what was purged meanwhile, they become tombstones."""
        kept = self._catalog.versions.described(versions)
        if gone := [version.uuid for version in versions if version.id not in kept]:
            self.bury(gone)

    def _placed(self, version: Version) -> Version:
        """A version whose manifest is about to be written for the first time, with the place for it."""
        if version.folder is not None:
            return replace(version, manifest=_FIRST)
        store_id = version.store_id if version.store_id is not None else self._stores.active.id
        folder = version_folder(version.artifact, version.uuid)
        return replace(version, manifest=_FIRST, folder=folder, folder_store_id=store_id)

    def _of_earlier_releases(self, after: int, limit: int) -> Sequence[Version]:
        """Versions that have no manifest yet, though their store keeps some."""
        while found := self._catalog.versions.without_folder(after, limit):
            after = found[-1].id
            if kept := [version for version in found if self._placed_in(version).manifest_files]:
                return kept
        return []

    def _placed_in(self, version: Version) -> Store:
        return self._stores.active if version.store_id is None else self._stores.by_id(version.store_id)


def _folder(version: Version) -> bytes:
    assert version.folder is not None, "only versions with a folder have a manifest"
    return version.folder


def _files_in(store: Store) -> ManifestFiles:
    assert store.manifest_files is not None, "folders of versions are only in stores that keep manifests"
    return store.manifest_files


_NEVER_CHANGES = (
    "state", "generation", "home", "uuid", "artifact", "name", "number", "created_us", "digest", "mode", "mtime_ns",
    "files", "bytes", "save_type", "materializer", "data_type", "user", "owner", "owner_group", "sealed_by", "previous",
    "self_contained",
)  # fmt: skip
"""What a manifest says that is as it was when the version was sealed."""
