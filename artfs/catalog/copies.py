"""Which contents a store has, and which it is still owed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from artfs.catalog.blobs import CONTENT, Blobs, Place
from artfs.catalog.engine import Engine, in_lists
from artfs.catalog.sound import sound_place
from artfs.content.digest import Digest
from artfs.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Copy:
    """A place of a content in a store.

    Args:
        place_id: its row.
        path: below the root of the store.
        machine_id: the machine whose landing area has the bytes, while they are staged; None once they are live.
    """

    place_id: int
    path: bytes
    machine_id: int | None


@dataclass(frozen=True, slots=True)
class InStore:
    """A content, and what a store has of it.

    Args:
        blob_id: its row.
        has_digest: whether its digest is that of its bytes, so that they can be checked.
        live: places in the store where the bytes are.
        staged: places in the store where they are still to come to.
    """

    blob_id: int
    has_digest: bool
    live: list[Copy] = field(default_factory=list)
    staged: list[Copy] = field(default_factory=list)


class Copies:
    """The contents that stores have."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._blobs = Blobs(engine)

    def of(self, digests: Collection[Digest], store_id: int) -> dict[Digest, InStore]:
        """Return what a store has of those of the contents that the catalog knows."""
        found: dict[Digest, InStore] = {}
        for names, parameters in in_lists(digests):
            rows = self._engine.query(
                "SELECT b.digest, b.id, b.kind, p.id, p.path, p.state, p.machine_id FROM blob b "
                "LEFT JOIN blob_place p ON p.blob_id = b.id AND p.store_id = :store AND p.owned = 1 "
                f"AND p.state <> 'gone' WHERE b.digest IN ({names}) ORDER BY p.id",
                {**parameters, "store": store_id},
            )
            for digest, blob_id, kind, place_id, path, state, machine_id in rows:
                content = found.setdefault(digest, InStore(blob_id, kind == CONTENT))
                if place_id is not None:
                    places = content.live if state == "live" else content.staged
                    places.append(Copy(place_id, sound_place(path), machine_id))
        return found

    def landed(self, blob_id: int, machine_id: int | None) -> list[tuple[int, bytes]]:
        """Return where a blob's bytes lie in landing areas of a machine: the store that each is of, and the path."""
        rows = self._engine.query(
            "SELECT store_id, path FROM blob_place WHERE blob_id = :blob AND state = 'staged' "
            "AND machine_id = :machine AND store_id IS NOT NULL ORDER BY id",
            {"blob": blob_id, "machine": machine_id},
        )
        return [(store_id, sound_place(path)) for store_id, path in rows]

    def staged_at(self, store_id: int, paths: Collection[bytes]) -> set[bytes]:
        """Return those of the paths below a store's root that bytes are still to come to."""
        found: set[bytes] = set()
        for names, parameters in in_lists(paths):
            rows = self._engine.query(
                f"SELECT path FROM blob_place WHERE store_id = :store AND state = 'staged' AND path IN ({names})",
                {**parameters, "store": store_id},
            )
            found.update(row[0] for row in rows)
        return found

    def forget_staged(self, place_ids: Collection[int]) -> None:
        """Forget places that bytes were still to come to: they are in the store elsewhere."""
        for names, parameters in in_lists(place_ids):
            self._engine.execute(f"DELETE FROM blob_place WHERE state = 'staged' AND id IN ({names})", parameters)

    def arrived(self, store_id: int, blob_id: int, path: bytes) -> None:
        """Write down that the bytes of a blob are in a store: at a place that it was staged for, or at a new one.

        Raises PlaceExists if other bytes are recorded there, and InvalidValue for a blob that is gone.
        """
        with self._engine.transaction():
            if self._blobs.by_id(blob_id) is None:
                raise InvalidValue(f"there is no blob with id {blob_id} (any more)")
            self._blobs.add_place(blob_id, Place(path, store_id))
