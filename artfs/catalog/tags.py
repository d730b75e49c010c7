"""Labels of artifacts, versions and runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from artfs.catalog.engine import Engine, Row, in_lists, now_us
from artfs.catalog.sound import sound_name
from artfs.errors import AlreadyExists, TagNotFound, VersionNotFound
from artfs.names import check_tag_name

_COLUMNS = "id, name, exclusive, created_us"


@dataclass(frozen=True, slots=True)
class Tag:
    """A label. At most one version of an artifact, and one run of a pipeline, carries an exclusive one."""

    id: int
    name: str
    exclusive: bool
    created_us: int


class Tags:
    """The tags of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> Tag | None:
        """Return the tag of that name."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM tag WHERE name = :name", {"name": name})
        return _tag(row) if row else None

    def by_id(self, tag_id: int) -> Tag | None:
        """Return the tag of that row id."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM tag WHERE id = :id", {"id": tag_id})
        return _tag(row) if row else None

    def list(self) -> Sequence[Tag]:
        """Return all tags, by name."""
        rows = self._engine.query(f"SELECT {_COLUMNS} FROM tag ORDER BY name")
        return [_tag(row) for row in rows]

    def ensure(self, name: str) -> Tag:
        """Return the tag of that name, made if there is none (not exclusive). Raises InvalidName."""
        found = self.get(name)
        if found is not None:
            return found
        self._engine.execute(
            "INSERT INTO tag (name, created_us) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING",
            {"name": check_tag_name(name), "now": now_us()},
        )
        found = self.get(name)
        assert found is not None
        return found

    def set_exclusive(self, name: str, exclusive: bool) -> Tag:
        """Say whether at most one version of an artifact, and one run of a pipeline, may carry a tag.

        It is made if there is none. When it becomes exclusive it stays on the newest of each.
        """
        with self._engine.transaction():
            tag = self.ensure(name)
            self._engine.execute(
                "UPDATE tag SET exclusive = :exclusive WHERE id = :id", {"exclusive": int(exclusive), "id": tag.id}
            )
            if exclusive:
                self._engine.execute(
                    "DELETE FROM version_tag WHERE tag_id = :id "
                    "AND version_id <> (SELECT o.version_id FROM version_tag o "
                    "WHERE o.artifact_id = version_tag.artifact_id AND o.tag_id = version_tag.tag_id "
                    "ORDER BY o.version_us DESC, o.version_id DESC LIMIT 1)",
                    {"id": tag.id},
                )
                self._engine.execute(
                    "DELETE FROM run_tag WHERE tag_id = :id AND EXISTS "
                    "(SELECT 1 FROM run_tag o JOIN run n ON n.id = o.run_id JOIN run r ON r.id = run_tag.run_id "
                    "WHERE o.tag_id = :id AND n.pipeline_id = r.pipeline_id "
                    "AND (n.started_us, n.id) > (r.started_us, r.id))",
                    {"id": tag.id},
                )
        return Tag(tag.id, tag.name, exclusive, tag.created_us)

    def rename(self, name: str, new_name: str) -> Tag:
        """Give a tag another name. Raises TagNotFound, InvalidName, or AlreadyExists if that name is taken."""
        with self._engine.transaction():
            tag = self._required(name)
            if new_name != name and self.get(check_tag_name(new_name)) is not None:
                raise AlreadyExists(f"there is a tag named '{new_name}': choose another name", subject=new_name)
            self._engine.execute("UPDATE tag SET name = :name WHERE id = :id", {"name": new_name, "id": tag.id})
        return Tag(tag.id, new_name, tag.exclusive, tag.created_us)

    def delete(self, name: str) -> None:
        """Take a tag off everything and forget it. Raises TagNotFound."""
        with self._engine.transaction():
            tag = self._required(name)
            for table, column in (
                ("version_tag", "tag_id"), ("artifact_tag", "tag_id"), ("run_tag", "tag_id"), ("tag", "id"),
            ):  # fmt: skip
                self._engine.execute(f"DELETE FROM {table} WHERE {column} = :id", {"id": tag.id})

    def add(self, version_id: int, *names: str) -> None:
        """Put tags on a version; an exclusive one leaves the artifact's other versions.

        Raises InvalidName, or VersionNotFound for a version that is purged or was never there.
        """
        with self._engine.transaction():
            row = self._engine.one(
                "SELECT artifact_id, created_us FROM version WHERE id = :id AND state <> 'purged'", {"id": version_id}
            )
            if row is None:
                raise VersionNotFound(f"there is no version with id {version_id}", subject=str(version_id))
            for name in names:
                tag = self.ensure(name)
                parameters = {
                    "version": version_id, "tag": tag.id, "artifact": row[0], "made": row[1], "now": now_us(),
                }  # fmt: skip
                if tag.exclusive:
                    self._engine.execute(
                        "DELETE FROM version_tag "
                        "WHERE artifact_id = :artifact AND tag_id = :tag AND version_id <> :version",
                        parameters,
                    )
                self._engine.execute(
                    "INSERT INTO version_tag (version_id, tag_id, artifact_id, version_us, created_us) "
                    "VALUES (:version, :tag, :artifact, :made, :now) ON CONFLICT (version_id, tag_id) DO NOTHING",
                    parameters,
                )

    def remove(self, version_id: int, name: str) -> None:
        """Take a tag off a version. Raises TagNotFound if it does not carry it."""
        removed = self._engine.execute(
            "DELETE FROM version_tag WHERE version_id = :version AND tag_id = (SELECT id FROM tag WHERE name = :name)",
            {"version": version_id, "name": name},
        )
        if not removed:
            raise TagNotFound(f"the version does not carry tag '{name}'", subject=name)

    def set(self, version_id: int, names: Sequence[str]) -> None:
        """Let a version carry exactly these tags."""
        with self._engine.transaction():
            for name in set(self.of_version(version_id)) - set(names):
                self.remove(version_id, name)
            self.add(version_id, *names)

    def of_version(self, version_id: int) -> Sequence[str]:
        """Return the names of a version's tags, sorted."""
        rows = self._engine.query(
            "SELECT g.name FROM version_tag x JOIN tag g ON g.id = x.tag_id "
            "WHERE x.version_id = :version ORDER BY g.name",
            {"version": version_id},
        )
        return [sound_name("a tag", row[0]) for row in rows]

    def of_versions(self, version_ids: Collection[int]) -> dict[int, Sequence[str]]:
        """Return the names of tags, sorted, of those of these versions that carry any, by the version's id."""
        return self._of_many("version_tag", "version_id", version_ids)

    def newest(self, artifact_id: int) -> dict[str, int]:
        """Return the tags that versions of an artifact carry, and the id of the newest such version of each."""
        rows = self._engine.query(
            "SELECT g.name, (SELECT x.version_id FROM version_tag x WHERE x.artifact_id = :artifact "
            "AND x.tag_id = g.id ORDER BY x.version_us DESC, x.version_id DESC LIMIT 1) "
            "FROM (SELECT DISTINCT tag_id FROM version_tag WHERE artifact_id = :artifact) n "
            "JOIN tag g ON g.id = n.tag_id ORDER BY g.name",
            {"artifact": artifact_id},
        )
        return {sound_name("a tag", row[0]): row[1] for row in rows}

    def last_given_us(self, artifact_id: int) -> int | None:
        """Return when a version of an artifact was last given a tag, in microseconds since 1970 UTC."""
        row = self._engine.one(
            "SELECT MAX(x.created_us) FROM version_tag x JOIN version v ON v.id = x.version_id "
            "WHERE v.artifact_id = :artifact",
            {"artifact": artifact_id},
        )
        return row[0] if row else None

    def version_ids(self, name: str) -> Sequence[int]:
        """Return the ids of all versions that carry a tag, oldest first."""
        rows = self._engine.query(
            "SELECT x.version_id FROM version_tag x JOIN tag g ON g.id = x.tag_id "
            "WHERE g.name = :name ORDER BY x.version_us, x.version_id",
            {"name": name},
        )
        return [row[0] for row in rows]

    def add_to_artifact(self, artifact_id: int, *names: str) -> None:
        """Put tags on an artifact. Raises InvalidName."""
        with self._engine.transaction():
            for name in names:
                self._engine.execute(
                    "INSERT INTO artifact_tag (artifact_id, tag_id, created_us) VALUES (:artifact, :tag, :now) "
                    "ON CONFLICT (artifact_id, tag_id) DO NOTHING",
                    {"artifact": artifact_id, "tag": self.ensure(name).id, "now": now_us()},
                )

    def remove_from_artifact(self, artifact_id: int, name: str) -> None:
        """Take a tag off an artifact. Raises TagNotFound if it does not carry it."""
        removed = self._engine.execute(
            "DELETE FROM artifact_tag WHERE artifact_id = :artifact "
            "AND tag_id = (SELECT id FROM tag WHERE name = :name)",
            {"artifact": artifact_id, "name": name},
        )
        if not removed:
            raise TagNotFound(f"the artifact does not carry tag '{name}'", subject=name)

    def of_artifact(self, artifact_id: int) -> Sequence[str]:
        """Return the names of an artifact's tags, sorted."""
        rows = self._engine.query(
            "SELECT g.name FROM artifact_tag x JOIN tag g ON g.id = x.tag_id "
            "WHERE x.artifact_id = :artifact ORDER BY g.name",
            {"artifact": artifact_id},
        )
        return [sound_name("a tag", row[0]) for row in rows]

    def of_artifacts(self, artifact_ids: Collection[int]) -> dict[int, Sequence[str]]:
        """Return the names of tags, sorted, of those of these artifacts that carry any, by the artifact's id."""
        return self._of_many("artifact_tag", "artifact_id", artifact_ids)

    def add_to_run(self, run_id: int, *names: str) -> None:
        """Put tags on a run; an exclusive one leaves the other runs of its pipeline. Raises InvalidName."""
        with self._engine.transaction():
            for name in names:
                tag = self.ensure(name)
                parameters = {"run": run_id, "tag": tag.id, "now": now_us()}
                if tag.exclusive:
                    self._engine.execute(
                        "DELETE FROM run_tag WHERE tag_id = :tag AND run_id <> :run AND run_id IN (SELECT o.id "
                        "FROM run r JOIN run o ON o.pipeline_id = r.pipeline_id WHERE r.id = :run)",
                        parameters,
                    )
                self._engine.execute(
                    "INSERT INTO run_tag (run_id, tag_id, created_us) VALUES (:run, :tag, :now) "
                    "ON CONFLICT (run_id, tag_id) DO NOTHING",
                    parameters,
                )

    def remove_from_run(self, run_id: int, name: str) -> None:
        """Take a tag off a run. Raises TagNotFound if it does not carry it."""
        removed = self._engine.execute(
            "DELETE FROM run_tag WHERE run_id = :run AND tag_id = (SELECT id FROM tag WHERE name = :name)",
            {"run": run_id, "name": name},
        )
        if not removed:
            raise TagNotFound(f"the run does not carry tag '{name}'", subject=name)

    def of_runs(self, run_ids: Collection[int]) -> dict[int, Sequence[str]]:
        """Return the names of tags, sorted, of those of these runs that carry any, by the run's id."""
        return self._of_many("run_tag", "run_id", run_ids)

    def of_run(self, run_id: int) -> Sequence[str]:
        """Return the names of a run's tags, sorted."""
        return self.of_runs([run_id]).get(run_id, [])

    def _of_many(self, table: str, owner: str, ids: Collection[int]) -> dict[int, Sequence[str]]:
        rows = []
        for names, parameters in in_lists(ids):
            rows += self._engine.query(
                f"SELECT x.{owner}, g.name FROM {table} x JOIN tag g ON g.id = x.tag_id WHERE x.{owner} IN ({names})",
                parameters,
            )
        return {
            id_: [sound_name("a tag", row[1]) for row in each] for id_, each in groupby(sorted(rows), key=itemgetter(0))
        }

    def _required(self, name: str) -> Tag:
        tag = self.get(name)
        if tag is None:
            raise TagNotFound(f"there is no tag named '{name}'", subject=name)
        return tag


def _tag(row: Row) -> Tag:
    return Tag(row[0], sound_name("a tag", row[1]), bool(row[2]), row[3])
