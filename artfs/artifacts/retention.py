"""Versions that drafts became by themselves are kept while there is room on the disk.

A framework keeps its last few checkpoints, and removes the older ones. Each of them is in a version, though, so without
this its limit would no longer bound the disk. When room is asked for, the oldest versions go that

    a draft became by itself       nobody said that it should be a version (`Version.sealed_by`)
    nothing needs                  no tag, pin, model or run, as for a prune; all of it is in its store
    are not among the newest       so many of each artifact always stay
    no draft holds                 nothing that only they have is in a working copy still
    would give room                they have bytes on that disk that go with them

of the artifact that takes the room first, then of all others. `retention = "keep"` lets those of an artifact stay, or
all of a home. They are chosen inside the transaction that removes them, and become tombstones (`sweep` says how).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.settings import kept_for_ever
from artfs.artifacts.sweep import held_by_drafts, sweep
from artfs.artifacts.tombstones import Loose, make_tombstones
from artfs.home.older_catalog import check_not_older

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

NEWEST_KEPT = 3
"""Of each artifact."""
REASON = "removed for room on the disk"
"""What the tombstones say."""
LOOKED_AT_ONCE = 200
"""Versions, with the right to write the catalog held."""


@dataclass
class MadeRoom:
    """What was done for room.

    Args:
        versions: those that went, by artifact, oldest first.
        bytes: how much was removed from stores.
        errors: what could not be removed, and why; `gc` tries again.
    """

    versions: dict[str, list[str]] = field(default_factory=dict)
    bytes: int = 0
    errors: list[str] = field(default_factory=list)


def make_room(workspace: Workspace, folder: Path, wanted: int, *, first: str | None = None) -> MadeRoom:
    """Remove the oldest versions that may go, until so many bytes are free that were not, or none is left.

    Args:
        workspace: where they are.
        folder: something on the disk that is short of room.
        wanted: how many bytes.
        first: the artifact whose versions go before those of others.

    Raises:
        OlderCatalog: the catalog does not know all versions that are in its stores.
        OSError: it cannot be told what drafts hold; nothing was removed.
    """
    check_not_older(workspace.catalog, workspace.stores)
    made, stores = MadeRoom(), _stores_on(workspace, folder)
    known = workspace.catalog.artifacts.get(first) if first is not None else None
    for artifact_id in [None] if known is None else [known.id, None]:
        after: int | None = 0
        while stores and after is not None and made.bytes < wanted:
            after = _remove(workspace, made, stores, wanted - made.bytes, artifact_id, after)
    return made


def _remove(
    workspace: Workspace, made: MadeRoom, stores: Collection[int], wanted: int, artifact_id: int | None, after: int
) -> int | None:
    """Remove some of the versions after a row; answers up to which they were looked at, None if there are no more."""
    if not _candidates(workspace, stores, artifact_id, after):
        return None  # without having kept others from writing
    with workspace.catalog.transaction():
        found = _candidates(workspace, stores, artifact_id, after)
        going = _Choice(workspace, found, stores).oldest(wanted)
        loose = make_tombstones(workspace, going, REASON) if going else Loose()
    for version in going:
        made.versions.setdefault(version.artifact, []).append(version.name)
    swept = sweep(workspace, loose)
    made.bytes += swept.bytes
    made.errors += swept.errors
    return found[-1].id if found and not swept.errors else None


def _candidates(workspace: Workspace, stores: Collection[int], artifact_id: int | None, after: int) -> list[Version]:
    """The oldest versions that nothing needs, whatever they hold."""
    found: list[Version] = []
    while len(found) < LOOKED_AT_ONCE:
        page = workspace.catalog.uses.needless(
            stores, newest=NEWEST_KEPT, limit=LOOKED_AT_ONCE, artifact_id=artifact_id, after=after
        )
        kept = kept_for_ever(workspace, {version.artifact_id for version in page})
        found += [version for version in page if version.artifact_id not in kept]
        if len(page) < LOOKED_AT_ONCE:
            break
        after = page[-1].id
    return found[:LOOKED_AT_ONCE]


class _Choice:
    """Which of some versions are to go. stores: on the disk that is short of room."""

    def __init__(self, workspace: Workspace, versions: Sequence[Version], stores: Collection[int]) -> None:
        self._workspace = workspace
        self._versions = versions
        only_theirs = {blob.id: blob for blob in workspace.catalog.blobs.freed_by([each.id for each in versions])}
        places = workspace.catalog.blobs.places_of([blob.digest for blob in only_theirs.values()])
        self._sizes = {
            blob.id: blob.size
            for blob in only_theirs.values()
            if any(place.owned and place.store_id in stores for place in places.get(blob.digest, ()))
        }
        self._blobs = {each.id: set(self._holds(each, only_theirs)) for each in versions}
        self._held = held_by_drafts(workspace) & only_theirs.keys() if versions else set()

    def oldest(self, wanted: int) -> list[Version]:
        """The oldest that give as much room together, without those that would give none."""
        left = Counter(blob for blobs in self._blobs.values() for blob in blobs)
        taken, freed, room = [], set[int](), 0
        for version in self._versions:
            if room >= wanted:
                break
            blobs = self._blobs[version.id]
            if blobs & self._held:
                continue
            taken.append(version)
            left.subtract(blobs)
            gone = {blob for blob in blobs if not left[blob] and blob in self._sizes}
            room += sum(self._sizes[blob] for blob in gone)
            freed |= gone
        return [version for version in taken if self._blobs[version.id] & freed]

    def _holds(self, version: Version, among: Collection[int]) -> Iterator[int]:
        assert version.tree_id is not None, "it is live"
        for _, row in self._workspace.catalog.trees.walk(version.tree_id):
            if row.blob_id is not None and row.blob_id in among:
                yield row.blob_id


def _stores_on(workspace: Workspace, folder: Path) -> set[int]:
    """The stores whose files lie on the disk of a folder."""
    disk = os.stat(folder).st_dev
    found = set()
    for store in workspace.stores.local():
        try:
            if store.id is not None and os.stat(store.root).st_dev == disk:
                found.add(store.id)
        except FileNotFoundError:
            continue
    return found
