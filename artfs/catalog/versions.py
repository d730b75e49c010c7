"""Names for trees: the one place where versions come to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from artfs.catalog.blobs import Blobs
from artfs.catalog.engine import BATCH, FROM_THE_FIRST, Engine, in_batches, in_lists, insert_sql, now_us, scalar
from artfs.catalog.filters import Where, compile_order, compile_page, compile_where
from artfs.catalog.machines import Machines
from artfs.catalog.metadata import VersionMetadata
from artfs.catalog.new_version import NewContents, NewVersion
from artfs.catalog.sound import sound_name
from artfs.catalog.steps import check_producer
from artfs.catalog.tags import Tags
from artfs.catalog.trees import Trees, files_of
from artfs.catalog.unsynced import Unsynced
from artfs.catalog.users import Users
from artfs.catalog.version_fields import FIELDS
from artfs.catalog.version_numbers import claim_number, next_time
from artfs.catalog.version_rows import COLUMNS, FROM, LIVE, PURGED, STAGED, Version, version_of
from artfs.catalog.visualizations import Visualizations
from artfs.enums import ArtifactSaveType
from artfs.errors import InvalidValue, VersionNotFound

__all__ = ["LIVE", "PURGED", "STAGED", "Version", "Versions"]

_NOT_PURGED = "v.state <> 'purged'"
_RARE = 2000
"""Fewer matches than these are found first, and then their versions; among more, a page of versions fills soon."""


class Versions:
    """The versions of a catalog."""

    def __init__(self, engine: Engine, machines: Machines) -> None:
        self._engine = engine
        self._machines = machines
        self._blobs = Blobs(engine)
        self._trees = Trees(engine)
        self._unsynced = Unsynced(engine)
        self._tags = Tags(engine)
        self._metadata = VersionMetadata(engine)
        self._users = Users(engine)
        self._visualizations = Visualizations(engine)

    def create(self, new: NewVersion, contents: NewContents) -> Version:
        """Make a version of bytes that are on stable storage, or come to be with it. All is committed, or nothing.

        It is a part of the transaction that runs, if one does: an error undoes all of that.

        Raises InvalidName; VersionExists if the name is or was used; MissingPlace with the digests of files whose bytes
        are nowhere (any more), so that the caller can store them and try again; InvalidValue if it would close a circle
        of lineage.
        """
        new.check()
        # Digests are computed before the lock is taken.
        record_digest, files = new.tree.record_digest, files_of(new.tree)
        assert record_digest
        files |= {each.file.digest: each.file for each in new.visualizations}
        with self._engine.joined():
            user_id = self._users.ensure(new.user).id if new.user is not None else None
            artifact_id, number, name = claim_number(self._engine, new.artifact, new.name, user_id)
            in_place = new.save_type == ArtifactSaveType.PREEXISTING
            blob_ids = self._blobs.insert(files, contents.places, contents.also_at, in_place=in_place)
            if contents.unsynced:
                self._unsynced.add({blob_ids[digest]: content for digest, content in contents.unsynced.items()})
            values = _columns(new) | {
                "artifact_id": artifact_id,
                "name": name,
                "number": number,
                "tree_id": self._trees.insert(new.tree, blob_ids),
                "user_id": user_id,
                "created_us": next_time(self._engine, artifact_id),
                "machine_id": self._machines.own_id(),
            }
            row = self._engine.one(
                insert_sql("version", values) + " RETURNING id",
                values | {"trusted": int(new.trusted), "self_contained": int(new.self_contained)},
            )
            version_id: int = scalar(row)
            if new.producer_id is not None:
                check_producer(self._engine, new.producer_id, version_id)
            if new.tags:
                self._tags.add(version_id, *new.tags)
            if new.metadata:
                self._metadata.set_first(version_id, new.metadata)
            for each in new.visualizations:
                self._visualizations.add(version_id, each.name, each.kind, blob_ids[each.file.digest])
        return Version(id=version_id, artifact=new.artifact, purged_us=None, purge_reason=None, **values)

    def by_id(self, version_id: int) -> Version | None:
        """Return the version of that row id, also a tombstone."""
        return self._one("v.id = :id", {"id": version_id})

    def by_ids(self, version_ids: Collection[int]) -> Sequence[Version]:
        """Return the versions of these row ids, also tombstones, oldest first."""
        found: list[Version] = []
        for names, parameters in in_lists(version_ids):
            found += self._many(f"v.id IN ({names})", parameters, "ORDER BY v.created_us, v.id")
        return found

    def by_uuid(self, uuid: str) -> Version | None:
        """Return the version of that id, also a tombstone."""
        return self._one("v.uuid = :uuid", {"uuid": uuid})

    def by_uuids(self, uuids: Collection[str]) -> dict[str, Version]:
        """Return the versions of these ids that there are, also tombstones, by id."""
        found: dict[str, Version] = {}
        for names, parameters in in_lists(uuids):
            found.update((each.uuid, each) for each in self._many(f"v.uuid IN ({names})", parameters, ""))
        return found

    def owed_manifests(self, after: int = 0, limit: int = BATCH) -> Sequence[Version]:
        """Return versions whose manifest is still to be written, by row id, beginning after one."""
        return self._many(
            f"v.manifest = 0 AND v.folder IS NOT NULL AND {_NOT_PURGED} AND v.id > :after",
            {"after": after, "limit": limit},
            "ORDER BY v.id LIMIT :limit",
        )

    def without_folder(self, after: int = 0, limit: int = BATCH) -> Sequence[Version]:
        """Return versions that an earlier release made, without a manifest, by row id, beginning after one."""
        return self._many(
            f"v.folder IS NULL AND {_NOT_PURGED} AND v.id > :after",
            {"after": after, "limit": limit},
            "ORDER BY v.id LIMIT :limit",
        )

    def described(self, versions: Collection[Version]) -> set[int]:
        """Say that manifests of these generations were written, and return the ids of those that are not purged."""
        kept: set[int] = set()
        with self._engine.transaction():
            for version in versions:
                row = self._engine.one(
                    "UPDATE version SET manifest = :manifest, folder = :folder, folder_store_id = :store "
                    f"WHERE id = :id AND state <> '{PURGED}' RETURNING id",
                    {
                        "manifest": version.manifest,
                        "folder": version.folder,
                        "store": version.folder_store_id,
                        "id": version.id,
                    },
                )
                kept |= {row[0]} if row else set()
        return kept

    def newest_row(self) -> tuple[str, int] | None:
        """Return uuid and row id of the version that was made last, also a tombstone; None if there is none."""
        row = self._engine.one("SELECT uuid, id FROM version WHERE id = (SELECT MAX(id) FROM version)")
        return (row[0], row[1]) if row else None

    def by_uuid_prefix(self, prefix: str) -> Sequence[Version]:
        """Return the versions whose id begins so: two at most, as more than one is one too many. Also tombstones."""
        # A range, and not LIKE, so that the index is used whatever the collation. 'g' is after all hex digits.
        return self._many(
            "v.uuid >= :prefix AND v.uuid < :end",
            {"prefix": prefix.lower(), "end": prefix.lower() + "g"},
            "ORDER BY v.uuid LIMIT 2",
        )

    def get(self, artifact_id: int, name: str) -> Version | None:
        """Return an artifact's version of that name, also a tombstone."""
        return self._one("v.artifact_id = :artifact AND v.name = :name", {"artifact": artifact_id, "name": name})

    def latest(self, artifact_id: int) -> Version | None:
        """Return the newest version of an artifact that is not purged."""
        return self._one(
            f"v.artifact_id = :artifact AND {_NOT_PURGED}",
            {"artifact": artifact_id},
            "ORDER BY v.created_us DESC, v.id DESC LIMIT 1",
        )

    def by_tag(self, artifact_id: int, tag: str) -> Version | None:
        """Return the newest version of an artifact that carries a tag."""
        row = self._engine.one(
            "SELECT x.version_id FROM version_tag x WHERE x.artifact_id = :artifact "
            "AND x.tag_id = (SELECT id FROM tag WHERE name = :tag) "
            "ORDER BY x.version_us DESC, x.version_id DESC LIMIT 1",
            {"artifact": artifact_id, "tag": tag},
        )
        return self.by_id(row[0]) if row else None

    def names(self, artifact_id: int) -> Sequence[tuple[str, int]]:
        """Return the name and row id of every version of an artifact that is not purged, oldest first."""
        rows = self._engine.query(
            f"SELECT v.name, v.id FROM version v WHERE v.artifact_id = :artifact AND {_NOT_PURGED} "
            "ORDER BY v.created_us, v.id",
            {"artifact": artifact_id},
        )
        return [(sound_name("a version", row[0]), row[1]) for row in rows]

    def newest_of(self, artifact_ids: Collection[int]) -> Sequence[Version]:
        """Return the newest version that is not purged of each of some artifacts that has one."""
        newest = (
            f"v.id = (SELECT n.id FROM version n WHERE n.artifact_id = a.id AND n.state <> '{PURGED}' "
            "ORDER BY n.created_us DESC, n.id DESC LIMIT 1)"
        )
        found: list[Version] = []
        for names, parameters in in_lists(artifact_ids):
            found += self._many(f"a.id IN ({names}) AND {newest}", parameters, "ORDER BY a.id")
        return found

    def newest(self, artifact_id: int | None, count: int) -> Sequence[Version]:
        """Return so many of the newest versions that are not purged, of one artifact or of all, oldest first."""
        newest = "ORDER BY v.created_us DESC, v.id DESC LIMIT :count"
        return self._many(_scope(artifact_id), {"artifact": artifact_id, "count": count}, newest)[::-1]

    def batches(self, artifact_id: int | None, size: int = BATCH) -> Iterator[Sequence[Version]]:
        """Yield all versions that are not purged, of one artifact or of all, oldest first, so many at a time."""

        def read(last: Version | None, count: int) -> Sequence[Version]:
            after = {"time": last.created_us, "last": last.id} if last is not None else FROM_THE_FIRST
            return self._many(
                f"{_scope(artifact_id)} AND (v.created_us, v.id) > (:time, :last)",
                {"artifact": artifact_id, "count": count, **after},
                "ORDER BY v.created_us, v.id LIMIT :count",
            )

        return in_batches(read, size)

    def list(
        self,
        artifact_id: int | None = None,
        where: Where | None = None,
        *,
        any_of: bool = False,
        sort: str | None = None,
        page: int = 1,
        size: int | None = None,
        purged: bool = False,
    ) -> Sequence[Version]:
        """Return versions, oldest first unless `sort` says otherwise.

        Args:
            artifact_id: only those of one artifact.
            where, any_of, sort, page, size: as in `filters`.
            purged: whether tombstones are listed too.
        """
        condition, parameters = self._scoped(artifact_id, where, any_of, purged)
        order, order_parameters = compile_order(FIELDS, sort)
        limit, limit_parameters = compile_page(page, size)
        return self._many(
            condition,
            {**parameters, **order_parameters, **limit_parameters},
            f"ORDER BY {order} {limit}",
        )

    def count(
        self, artifact_id: int | None = None, where: Where | None = None, *, any_of: bool = False, purged: bool = False
    ) -> int:
        """Return how many versions `list` would return without pages."""
        condition, parameters = self._scoped(artifact_id, where, any_of, purged)
        found: int = scalar(self._engine.one(f"SELECT COUNT(*) {FROM} WHERE {condition}", parameters))
        return found

    def staged(self) -> Sequence[Version]:
        """Return the versions whose bytes are still to be uploaded, oldest first."""
        return self._many("v.state = 'staged'", {}, "ORDER BY v.created_us, v.id")

    def set_state(self, version_id: int, state: str) -> None:
        """Move a version between `staged` and `live`. Raises VersionNotFound for any but those."""
        if state not in (LIVE, STAGED):
            raise InvalidValue(f"a version cannot become '{state}': purge it instead")
        changed = self._engine.execute(
            "UPDATE version SET state = :state WHERE id = :id AND state <> 'purged'", {"state": state, "id": version_id}
        )
        if not changed:
            raise _unknown(version_id)

    def update(self, version_id: int, *, type: str | None = None, trusted: bool | None = None) -> Version:
        """Change what a version is for people, or whether its pickles may be loaded. Raises VersionNotFound."""
        with self._engine.transaction():
            self._engine.execute(
                "UPDATE version SET type = COALESCE(:type, type), trusted = COALESCE(:trusted, trusted) "
                "WHERE id = :id AND state <> 'purged'",
                {"type": type, "trusted": None if trusted is None else int(trusted), "id": version_id},
            )
            version = self.by_id(version_id)
        if version is None or version.state == PURGED:
            raise _unknown(version_id)
        return version

    def purge(self, version_id: int, reason: str) -> Version:
        """Turn a version into a tombstone: name, digest, totals, metadata and lineage stay, its tree and tags go.

        Its bytes are not touched: when no version needs them, `trees.collect` and `blobs.drop_places` find them.

        Raises VersionNotFound, or InvalidValue while it is pinned.
        """
        with self._engine.transaction():
            if self._engine.one("SELECT 1 FROM pin WHERE version_id = :id", {"id": version_id}):
                raise InvalidValue(f"version {version_id} is pinned: unpin it first", subject=str(version_id))
            changed = self._engine.execute(
                "UPDATE version SET state = 'purged', tree_id = NULL, purged_us = :now, purge_reason = :reason "
                "WHERE id = :id AND state <> 'purged'",
                {"now": now_us(), "reason": reason, "id": version_id},
            )
            if not changed:
                raise _unknown(version_id)
            for table in ("version_tag", "model_link", "pending"):
                self._engine.execute(f"DELETE FROM {table} WHERE version_id = :id", {"id": version_id})
            version = self.by_id(version_id)
        assert version is not None
        return version

    def _scoped(
        self, artifact_id: int | None, where: Where | None, any_of: bool, purged: bool
    ) -> tuple[str, dict[str, Any]]:
        """The condition of a list and its parameters: the scope, and within it the filter."""
        is_rare = self._is_rare if artifact_id is None else lambda sql, parameters: False
        condition, parameters = compile_where(FIELDS, where, any_of=any_of, is_rare=is_rare)
        scope = "1 = 1" if purged else _NOT_PURGED
        if artifact_id is not None:
            scope, parameters = f"v.artifact_id = :scope AND {scope}", {**parameters, "scope": artifact_id}
        return f"{scope} AND {condition}", parameters

    def _is_rare(self, sql: str, parameters: Mapping[str, Any]) -> bool:
        row = self._engine.one(f"SELECT COUNT(*) FROM ({sql} LIMIT {_RARE}) found", parameters)
        return int(scalar(row)) < _RARE

    def _one(self, condition: str, parameters: Mapping[str, Any], tail: str = "") -> Version | None:
        row = self._engine.one(f"SELECT {COLUMNS} {FROM} WHERE {condition} {tail}", parameters)
        return version_of(row) if row else None

    def _many(self, condition: str, parameters: Mapping[str, Any], tail: str) -> Sequence[Version]:
        rows = self._engine.query(f"SELECT {COLUMNS} {FROM} WHERE {condition} {tail}", parameters)
        return [version_of(row) for row in rows]


_DERIVED = frozenset(("artifact", "tree", "tags", "user", "metadata", "visualizations", "name"))
_SAME = tuple(field.name for field in fields(NewVersion) if field.name not in _DERIVED)
"""What a row has as the value says it."""


def _columns(new: NewVersion) -> dict[str, Any]:
    """The columns of a version that are known before its transaction."""
    return {name: getattr(new, name) for name in _SAME} | {
        "mode": new.mode & 0o777,
        "digest": new.tree.digest,
        "files": new.tree.files,
        "bytes": new.tree.bytes,
    }


def _scope(artifact_id: int | None) -> str:
    return _NOT_PURGED if artifact_id is None else f"v.artifact_id = :artifact AND {_NOT_PURGED}"


def _unknown(version_id: int) -> VersionNotFound:
    return VersionNotFound(f"there is no version with id {version_id} (any more)", subject=str(version_id))
