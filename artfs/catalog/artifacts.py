"""Names with versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, Row, in_lists, now_us, scalar
from artfs.catalog.filters import Field, Fields, Where, compile_order, compile_page, compile_where
from artfs.catalog.sound import sound_name
from artfs.errors import AlreadyExists, ArtifactNotFound, InvalidValue
from artfs.names import check_artifact_name

_COLUMNS = "a.id, a.name, a.next_number, a.created_us, a.user_id"
_EXISTING = "a.deleted_us IS NULL"

_FIELDS = Fields(
    named={
        "id": Field("a.id", "number"),
        "name": Field("a.name"),
        "created": Field("a.created_us", "time", sort="a.id"),
        "user": Field("u.name", exists='a.user_id IN (SELECT u.id FROM "user" u WHERE {})', sort=""),
        "versions": Field(
            "(SELECT COUNT(*) FROM version c WHERE c.artifact_id = a.id AND c.state <> 'purged')", "number"
        ),
        "updated": Field(
            "(SELECT c.created_us FROM version c WHERE c.artifact_id = a.id AND c.state <> 'purged' "
            "ORDER BY c.created_us DESC, c.id DESC LIMIT 1)",
            "time",
        ),
        "tag": Field(
            "g.name",
            exists="EXISTS (SELECT 1 FROM artifact_tag x JOIN tag g ON g.id = x.tag_id "
            "WHERE x.artifact_id = a.id AND {})",
            sort="",
            may_have_colons=True,
        ),
    },
    tiebreak="a.id",
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A name with versions.

    Args:
        next_number: number of the next version that gets one by itself.
        created_us: microseconds since 1970 UTC.
    """

    id: int
    name: str
    next_number: int
    created_us: int
    user_id: int | None


class Artifacts:
    """The artifacts of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> Artifact | None:
        """Return the artifact of that name."""
        row = self._engine.one(
            f"SELECT {_COLUMNS} FROM artifact a WHERE a.name = :name AND {_EXISTING}", {"name": name}
        )
        return _artifact(row) if row else None

    def by_id(self, artifact_id: int) -> Artifact | None:
        """Return the artifact of that row id."""
        row = self._engine.one(
            f"SELECT {_COLUMNS} FROM artifact a WHERE a.id = :id AND {_EXISTING}", {"id": artifact_id}
        )
        return _artifact(row) if row else None

    def ensure(self, name: str, user_id: int | None = None) -> Artifact:
        """Return the artifact of that name, made if there is none.

        One that was deleted comes back and goes on counting where it was. Raises InvalidName.
        """
        found = self.get(name)
        if found is not None:
            return found
        row = self._engine.one(
            "INSERT INTO artifact (name, created_us, user_id) VALUES (:name, :now, :user) "
            "ON CONFLICT (name) DO UPDATE SET deleted_us = NULL "
            "RETURNING id, name, next_number, created_us, user_id",
            {"name": check_artifact_name(name), "now": now_us(), "user": user_id},
        )
        assert row is not None
        return _artifact(row)

    def next_number(self, name: str, user_id: int | None = None) -> tuple[int, int]:
        """Return the row id of the artifact of that name, made if there is none, and a number that no version had."""
        while True:
            row = self._engine.one(
                "UPDATE artifact SET next_number = next_number + 1 WHERE name = :name AND deleted_us IS NULL "
                "RETURNING id, next_number - 1",
                {"name": name},
            )
            if row is not None:
                return row[0], row[1]
            self.ensure(name, user_id)

    def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """Give out no number below these, by artifact; those of artifacts that the catalog does not know are made."""
        with self._engine.transaction():
            for name, number in sorted(numbers.items()):
                self._engine.execute(
                    "INSERT INTO artifact (name, next_number, deleted_us, created_us) "
                    "VALUES (:name, :number, :now, :now) ON CONFLICT (name) DO UPDATE SET next_number = "
                    "CASE WHEN artifact.next_number < :number THEN :number ELSE artifact.next_number END",
                    {"name": check_artifact_name(name), "number": number, "now": now_us()},
                )

    def names(self) -> list[str]:
        """Return the names of all artifacts, sorted."""
        rows = self._engine.query(f"SELECT a.name FROM artifact a WHERE {_EXISTING} ORDER BY a.name")
        return [sound_name("an artifact", row[0]) for row in rows]

    def list(
        self,
        where: Where | None = None,
        *,
        any_of: bool = False,
        sort: str | None = None,
        page: int = 1,
        size: int | None = None,
    ) -> Sequence[Artifact]:
        """Return artifacts, oldest first unless `sort` says otherwise; filters and pages as in `filters`."""
        condition, parameters = compile_where(_FIELDS, where, any_of=any_of)
        order, order_parameters = compile_order(_FIELDS, sort)
        limit, limit_parameters = compile_page(page, size)
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM artifact a WHERE {_EXISTING} AND {condition} ORDER BY {order} {limit}",
            {**parameters, **order_parameters, **limit_parameters},
        )
        return [_artifact(row) for row in rows]

    def count(self, where: Where | None = None, *, any_of: bool = False) -> int:
        """Return how many artifacts there are, of those that a filter lets through."""
        condition, parameters = compile_where(_FIELDS, where, any_of=any_of)
        found: int = scalar(
            self._engine.one(f"SELECT COUNT(*) FROM artifact a WHERE {_EXISTING} AND {condition}", parameters)
        )
        return found

    def counts(self, artifact_ids: Collection[int]) -> dict[int, int]:
        """Return the number of versions of those of these artifacts that have any, by the artifact's id."""
        found: dict[int, int] = {}
        for names, parameters in in_lists(artifact_ids):
            rows = self._engine.query(
                "SELECT artifact_id, COUNT(*) FROM version "
                f"WHERE artifact_id IN ({names}) AND state <> 'purged' GROUP BY artifact_id",
                parameters,
            )
            found.update((row[0], row[1]) for row in rows)
        return found

    def rename(self, artifact_id: int, name: str) -> Artifact:
        """Give an artifact another name.

        Raises InvalidName, ArtifactNotFound, or AlreadyExists if the name is taken, also by the tombstones of a deleted
        artifact.
        """
        check_artifact_name(name)
        with self._engine.transaction():
            taken = self._engine.one("SELECT id, deleted_us FROM artifact WHERE name = :name", {"name": name})
            if taken is not None and taken[0] != artifact_id:
                whose = "there is an artifact" if taken[1] is None else "there was an artifact, still named by lineage,"
                raise AlreadyExists(f"{whose} named '{name}': choose another name", subject=name)
            row = self._engine.one(
                "UPDATE artifact SET name = :name WHERE id = :id AND deleted_us IS NULL "
                "RETURNING id, name, next_number, created_us, user_id",
                {"name": name, "id": artifact_id},
            )
        if row is None:
            raise ArtifactNotFound(f"there is no artifact with id {artifact_id}", subject=str(artifact_id))
        return _artifact(row)

    def delete(self, artifact_id: int) -> None:
        """Delete an artifact whose versions are all purged. Its tombstones stay, for lineage.

        Raises ArtifactNotFound, or InvalidValue while it has versions.
        """
        with self._engine.transaction():
            found = self.by_id(artifact_id)
            if found is None:
                raise ArtifactNotFound(f"there is no artifact with id {artifact_id}", subject=str(artifact_id))
            has_versions, has_tombstones = self._engine.query(
                "SELECT EXISTS (SELECT 1 FROM version WHERE artifact_id = :id AND state <> 'purged'), "
                "EXISTS (SELECT 1 FROM version WHERE artifact_id = :id)",
                {"id": artifact_id},
            )[0]
            if has_versions:
                raise InvalidValue(f"artifact '{found.name}' has versions: purge them first", subject=found.name)
            for table in ("artifact_tag", "artifact_setting"):
                self._engine.execute(f"DELETE FROM {table} WHERE artifact_id = :id", {"id": artifact_id})
            if has_tombstones:
                self._engine.execute(
                    "UPDATE artifact SET deleted_us = :now WHERE id = :id", {"now": now_us(), "id": artifact_id}
                )
            else:
                self._engine.execute("DELETE FROM artifact WHERE id = :id", {"id": artifact_id})


def _artifact(row: Row) -> Artifact:
    sound_name("an artifact", row[1])
    return Artifact(*row)
