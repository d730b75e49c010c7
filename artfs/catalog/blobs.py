"""The content of files, and where its bytes lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.catalog.engine import Engine, Row, in_lists, insert_rows, scalar
from artfs.catalog.freed import freed_by
from artfs.catalog.sound import sound_place
from artfs.content.digest import Digest, FileDigest
from artfs.errors import MissingPlace, PlaceExists

_BLOB = "id, digest, kind, size, blocks, pieces"
_PLACE = "id, blob_id, store_id, path, owned, mtime_ns, etag, state"

_UNNEEDED = (
    "NOT EXISTS (SELECT 1 FROM tree_entry e WHERE e.blob_id = {blob}) "
    "AND NOT EXISTS (SELECT 1 FROM visualization z WHERE z.blob_id = {blob})"
)
_UNNEEDED_PLACE = _UNNEEDED.format(blob="blob_place.blob_id")

CONTENT = "content"
IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Blob:
    """The content of files.

    Args:
        digest: BLAKE3 of the content, or of the place's identity.
        kind: `content`, or `identity` when the content's digest is not known.
        size: bytes.
        blocks: digests of its 4 MiB blocks, one after the other; None when there is one block.
        pieces: for each block the digest of the list of its pieces, one after the other; None when there are no lists.
    """

    id: int
    digest: Digest
    kind: str
    size: int
    blocks: bytes | None
    pieces: bytes | None = None

    @property
    def file(self) -> FileDigest:
        """The same as a value of `content`."""
        return FileDigest(self.digest, self.size, self.blocks, self.pieces)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a new blob lie.

    Args:
        path: below the store's root; for data registered in place the absolute path or URI.
        store_id: the store; None for data registered in place.
        owned: whether artfs wrote the bytes and may remove them.
        mtime_ns: in place, local: modification time that the bytes are good for.
        etag: in place, remote: ETag that the bytes are good for.
        state: `live`, or `staged` while the bytes are in the landing area of `machine_id` and not yet in the store.
        identity: whether the digest is that of the place's identity (URI, size, ETag), as the content's is not known.
    """

    path: bytes
    store_id: int | None = None
    owned: bool = True
    mtime_ns: int | None = None
    etag: str | None = None
    state: str = "live"
    identity: bool = False
    machine_id: int | None = None


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """A recorded place; the fields of `Place` and the rows' ids. `state` is `live`, `staged` or `gone`."""

    id: int
    blob_id: int
    store_id: int | None
    path: bytes
    owned: bool
    mtime_ns: int | None
    etag: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a digest.

    Args:
        blob_id: its row.
        owned: whether its bytes lie in a store, written by artfs.
        in_place: whether its bytes lie where the user registered them.
    """

    blob_id: int
    owned: bool
    in_place: bool


class Blobs:
    """The blobs of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, digest: Digest) -> Blob | None:
        """Return the blob of that digest."""
        row = self._engine.one(f"SELECT {_BLOB} FROM blob WHERE digest = :digest", {"digest": digest})
        return Blob(*row) if row else None

    def by_id(self, blob_id: int) -> Blob | None:
        """Return the blob of that row id."""
        row = self._engine.one(f"SELECT {_BLOB} FROM blob WHERE id = :id", {"id": blob_id})
        return Blob(*row) if row else None

    def places(self, blob_id: int) -> list[BlobPlace]:
        """Return where a blob's bytes are: live before staged, artfs's own before those registered in place."""
        rows = self._engine.query(
            f"SELECT {_PLACE} FROM blob_place WHERE blob_id = :blob AND state <> 'gone' "
            "ORDER BY CASE state WHEN 'live' THEN 0 ELSE 1 END, owned DESC, id",
            {"blob": blob_id},
        )
        return [_place(row) for row in rows]

    def places_of(self, digests: Collection[Digest]) -> dict[Digest, list[BlobPlace]]:
        """Return where contents are, as `places` does, of many at once."""
        found: dict[Digest, list[BlobPlace]] = {}
        columns = ", ".join(f"p.{column}" for column in _PLACE.split(", "))
        for names, parameters in in_lists(digests):
            rows = self._engine.query(
                f"SELECT b.digest, {columns} FROM blob b JOIN blob_place p ON p.blob_id = b.id "
                f"WHERE b.digest IN ({names}) AND p.state <> 'gone' "
                "ORDER BY b.id, CASE p.state WHEN 'live' THEN 0 ELSE 1 END, p.owned DESC, p.id",
                parameters,
            )
            for digest, *place in rows:
                found.setdefault(digest, []).append(_place(tuple(place)))
        return found

    def known(self, digests: Collection[Digest]) -> dict[Digest, Known]:
        """Return what is known of those of the digests that the catalog has."""
        found: dict[Digest, Known] = {}
        for names, parameters in in_lists(digests):
            rows = self._engine.query(
                "SELECT b.digest, b.id, "
                "EXISTS (SELECT 1 FROM blob_place p WHERE p.blob_id = b.id AND p.state <> 'gone' AND p.owned = 1), "
                "EXISTS (SELECT 1 FROM blob_place p WHERE p.blob_id = b.id AND p.state <> 'gone' AND p.owned = 0) "
                f"FROM blob b WHERE b.digest IN ({names})",
                parameters,
            )
            found.update((row[0], Known(row[1], bool(row[2]), bool(row[3]))) for row in rows)
        return found

    def insert(
        self,
        files: Mapping[Digest, FileDigest],
        places: Mapping[Digest, Place],
        also_at: Collection[tuple[Digest, Place]] = (),
        *,
        in_place: bool,
    ) -> dict[Digest, int]:
        """Record blobs and the places of new ones, and return the id of each.

        Args:
            files: what the blobs are.
            places: where bytes lie, at least for those that the catalog has no place of.
            also_at: more places of them.
            in_place: whether bytes that the user registered in place are enough. They may change at any time, so they
                are not for a version that artfs wrote itself.

        Raises MissingPlace if the bytes of a blob are nowhere, and PlaceExists if other bytes are at a place already.
        """
        with self._engine.joined():
            known = self.known(files.keys())
            missing = [
                digest
                for digest in files
                if digest not in places and not ((at := known.get(digest)) and (at.owned or (in_place and at.in_place)))
            ]
            if missing:
                raise MissingPlace(missing)
            ids = {digest: at.blob_id for digest, at in known.items()}
            if large := [file for digest, file in files.items() if digest in ids and file.blocks is not None]:
                self._complete(large)
            ids.update(self._insert_blobs([file for digest, file in files.items() if digest not in ids], places))
            all_places = [*places.items(), *also_at]
            self._insert_places([(ids[digest], place) for digest, place in all_places if digest in ids])
        return ids

    def add_place(self, blob_id: int, place: Place) -> None:
        """Record one more place of a blob.

        Raises PlaceExists if other bytes are at that place already.
        """
        with self._engine.transaction():
            self._insert_places([(blob_id, place)])

    def set_place_state(self, place_ids: Collection[int], state: str) -> None:
        """Say that places are now `live`, `staged` or `gone`."""
        for names, parameters in in_lists(place_ids):
            self._engine.execute(
                f"UPDATE blob_place SET state = :state WHERE id IN ({names})", {**parameters, "state": state}
            )

    def staged_places(self, *, after: int = 0, limit: int = 1000) -> list[BlobPlace]:
        """Return places whose bytes are still to be uploaded, by id."""
        return self._unsettled("staged", after, limit)

    def orphans(self, *, after: int = 0, limit: int = 1000) -> list[Blob]:
        """Return blobs that neither a tree nor a visualization refers to, by id.

        Remove the trees that nobody needs first: `trees.collect`.
        """
        rows = self._engine.query(
            f"SELECT {_BLOB} FROM blob b WHERE b.id > :after AND {_UNNEEDED.format(blob='b.id')} "
            "ORDER BY b.id LIMIT :limit",
            {"after": after, "limit": limit},
        )
        return [Blob(*row) for row in rows]

    def freed_by(self, version_ids: Collection[int]) -> list[Blob]:
        """Return the blobs that nothing would need any more if these versions were purged: the plan of a prune.

        A blob that is needed by nothing already is not among them.
        """
        found: list[Blob] = []
        for names, parameters in in_lists(freed_by(self._engine, version_ids)):
            rows = self._engine.query(f"SELECT {_BLOB} FROM blob WHERE id IN ({names}) ORDER BY id", parameters)
            found += [Blob(*row) for row in rows]
        return found

    def drop_places(self, blob_ids: Collection[int]) -> list[BlobPlace]:
        """Give up all places of blobs that nothing refers to, and return those whose bytes are to be removed.

        Owned places become `gone`: remove their bytes after the commit, then `forget_places`. A kill between leaves
        them in `gone_places`. Places of data registered in place are only forgotten: those bytes are the user's.
        A blob that a tree or a visualization refers to (again) is left alone.
        """
        dropped: list[BlobPlace] = []
        with self._engine.transaction():
            for names, parameters in in_lists(blob_ids):
                unused = f"blob_id IN ({names}) AND {_UNNEEDED_PLACE}"
                self._engine.execute(f"DELETE FROM blob_place WHERE owned = 0 AND {unused}", parameters)
                rows = self._engine.query(
                    f"UPDATE blob_place SET state = 'gone' WHERE {unused} RETURNING {_PLACE}", parameters
                )
                dropped += [_place(row) for row in rows]
        return dropped

    def unneeded_places(self, blob_ids: Collection[int]) -> list[BlobPlace]:
        """Return the places that `drop_places` would mark, without those that are gone already."""
        return self._unneeded(f"SELECT {_PLACE} FROM blob_place WHERE {{}}", blob_ids)

    def release_places(self, blob_ids: Collection[int]) -> list[BlobPlace]:
        """Forget the places that `drop_places` would mark, and return them: their bytes are the user's from now on."""
        with self._engine.transaction():
            return self._unneeded(f"DELETE FROM blob_place WHERE {{}} RETURNING {_PLACE}", blob_ids)

    def gone_places(self, *, after: int = 0, limit: int = 1000) -> list[BlobPlace]:
        """Return places whose bytes are still to be removed, by id."""
        return self._unsettled("gone", after, limit)

    def forget_places(self, place_ids: Collection[int]) -> None:
        """Forget places whose bytes were removed, and blobs that are then nowhere and in no tree."""
        with self._engine.transaction():
            for names, parameters in in_lists(place_ids):
                rows = self._engine.query(
                    f"DELETE FROM blob_place WHERE id IN ({names}) AND state = 'gone' RETURNING blob_id", parameters
                )
                self.forget({row[0] for row in rows})

    def forget(self, blob_ids: Collection[int]) -> None:
        """Forget those of the blobs that have no place and are in no tree."""
        for names, parameters in in_lists(blob_ids):
            self._engine.execute(
                f"DELETE FROM blob WHERE id IN ({names}) "
                f"AND {_UNNEEDED.format(blob='blob.id')} "
                "AND NOT EXISTS (SELECT 1 FROM blob_place p WHERE p.blob_id = blob.id) "
                "AND NOT EXISTS (SELECT 1 FROM pending q WHERE q.blob_id = blob.id)",
                parameters,
            )

    def owned_paths(self, store_id: int, paths: Collection[bytes]) -> set[bytes]:
        """Return those of the paths below a store's root at which the catalog knows bytes, to tell what is stray."""
        return set(self.at(store_id, paths))

    def at(self, store_id: int, paths: Collection[bytes]) -> dict[bytes, Blob]:
        """Return what lies at those of the paths below a store's root that the catalog knows."""
        known: dict[bytes, Blob] = {}
        for names, parameters in in_lists(paths):
            rows = self._engine.query(
                "SELECT p.path, b.id, b.digest, b.kind, b.size, b.blocks, b.pieces FROM blob_place p JOIN blob b "
                f"ON b.id = p.blob_id WHERE p.owned = 1 AND p.store_id = :store AND p.path IN ({names})",
                {**parameters, "store": store_id},
            )
            known.update((row[0], Blob(*row[1:])) for row in rows)
        return known

    def paths_in(self, store_id: int, limit: int) -> list[bytes]:
        """Return some places that should be in a store, the newest first."""
        rows = self._engine.query(
            "SELECT path FROM blob_place WHERE store_id = :store AND owned = 1 ORDER BY id DESC LIMIT :limit",
            {"store": store_id, "limit": limit},
        )
        return [row[0] for row in rows]

    def any_below(self, store_id: int, directory: bytes) -> bool:
        """Return whether the catalog has a place below a directory of a store."""
        row = self._engine.one(
            "SELECT 1 FROM blob_place WHERE store_id = :store AND path > :first AND path < :last LIMIT 1",
            {"store": store_id, "first": directory + b"/", "last": directory + b"0"},
        )
        return row is not None

    def registered_below(self, directory: bytes) -> bool:
        """Return whether data in a directory (absolute path or URI) was registered in place."""
        row = self._engine.one(
            "SELECT 1 FROM blob_place WHERE owned = 0 AND path >= :first AND path < :after LIMIT 1",
            {"first": directory + b"/", "after": directory + b"0"},
        )
        return row is not None

    def bytes_owned(self, blob_ids: Collection[int]) -> int:
        """Return the bytes of those of the blobs that artfs wrote to a store, each counted once."""
        found = 0
        for names, parameters in in_lists(blob_ids):
            row = self._engine.one(
                f"SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM blob b WHERE b.id IN ({names}) AND EXISTS "
                "(SELECT 1 FROM blob_place p WHERE p.blob_id = b.id AND p.owned = 1 AND p.state <> 'gone')",
                parameters,
            )
            found += scalar(row)
        return found

    def total_bytes(self) -> int:
        """Return the bytes of all blobs, each counted once."""
        row = self._engine.one("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob")
        assert row is not None
        return int(row[0])

    def _unneeded(self, statement: str, blob_ids: Collection[int]) -> list[BlobPlace]:
        found: list[BlobPlace] = []
        for names, parameters in in_lists(blob_ids):
            condition = f"owned = 1 AND state <> 'gone' AND blob_id IN ({names}) AND {_UNNEEDED_PLACE}"
            found += [_place(row) for row in self._engine.query(statement.format(condition), parameters)]
        return found

    def _unsettled(self, state: str, after: int, limit: int) -> list[BlobPlace]:
        rows = self._engine.query(
            f"SELECT {_PLACE} FROM blob_place WHERE state <> 'live' AND state = :state AND id > :after "
            "ORDER BY id LIMIT :limit",
            {"state": state, "after": after, "limit": limit},
        )
        return [_place(row) for row in rows]

    def _insert_blobs(self, files: Sequence[FileDigest], places: Mapping[Digest, Place]) -> dict[Digest, int]:
        rows = [
            {
                "digest": file.digest,
                "kind": IDENTITY if places[file.digest].identity else CONTENT,
                "size": file.size,
                "blocks": file.blocks,
                "pieces": file.pieces,
            }
            for file in files
        ]
        ids = insert_rows(self._engine, "blob", rows)
        return {file.digest: id_ for file, id_ in zip(files, ids, strict=True)}

    def _complete(self, files: Sequence[FileDigest]) -> None:
        """Give known blobs the digests of their blocks: what was a large visualization of an older catalog has none."""
        self._engine.executemany(
            "UPDATE blob SET blocks = :blocks WHERE digest = :digest AND blocks IS NULL",
            [{"digest": file.digest, "blocks": file.blocks} for file in files],
        )

    def _insert_places(self, placed: Sequence[tuple[int, Place]]) -> None:
        for owned, conflict, keep in (
            (1, '(store_id, path, "offset") WHERE store_id IS NOT NULL', "WHERE blob_place.blob_id = excluded.blob_id"),
            (0, "(path, blob_id) WHERE owned = 0", ""),
        ):
            rows = [_place_parameters(blob_id, place) for blob_id, place in placed if place.owned == bool(owned)]
            if not rows:
                continue
            recorded = self._engine.executemany(
                "INSERT INTO blob_place (blob_id, store_id, path, owned, mtime_ns, etag, state, machine_id) "
                f"VALUES (:blob_id, :store_id, :path, {owned}, :mtime_ns, :etag, :state, :machine_id) "
                f"ON CONFLICT {conflict} DO UPDATE "
                "SET state = excluded.state, machine_id = excluded.machine_id, mtime_ns = excluded.mtime_ns, "
                f"etag = excluded.etag {keep}",
                rows,
            )
            if recorded != len(rows):
                raise PlaceExists("other bytes are recorded at the place of a new file: nothing was changed")


def _place(row: Row) -> BlobPlace:
    id_, blob_id, store_id, path, owned, mtime_ns, etag, state = row
    if store_id is not None:
        sound_place(path)
    return BlobPlace(id_, blob_id, store_id, path, bool(owned), mtime_ns, etag, state)


def _place_parameters(blob_id: int, place: Place) -> dict[str, Any]:
    return {
        "blob_id": blob_id,
        "store_id": place.store_id,
        "path": place.path,
        "mtime_ns": place.mtime_ns,
        "etag": place.etag,
        "state": place.state,
        "machine_id": place.machine_id,
    }
