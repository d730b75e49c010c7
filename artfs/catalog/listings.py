"""What the directories of a mount hold, in pieces: so many rows after the last one, which its id alone tells.

A directory of a hundred thousand versions is read as the kernel asks for it: nothing is skipped or counted first, no
row has more than its line shows, and what is committed meanwhile comes at the end. Versions and runs come in the order
of their times, as in all lists and as their indexes have them; artifacts, tags and pipelines in that of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from artfs.catalog.engine import Engine, Row
from artfs.catalog.sound import sound_name


class Named(NamedTuple):
    """An artifact, a tag, a model or a pipeline.

    Args:
        changed_us: when its newest version was made, or its newest run began; when it was made itself if it has none.
    """

    id: int
    name: str
    created_us: int
    changed_us: int


class ListedVersion(NamedTuple):
    """A version with its root directory; fields as of `Version`."""

    id: int
    name: str
    tree_id: int | None
    mode: int
    mtime_ns: int
    user_id: int | None
    created_us: int


class ListedRun(NamedTuple):
    """A run; fields as of `Run`."""

    id: int
    name: str
    started_us: int
    ended_us: int | None


class NewestTagged(NamedTuple):
    """A tag that versions of an artifact carry, and the newest of these."""

    tag_id: int
    tag: str
    version: str
    created_us: int


class Listings:
    """Pieces of long lists. `after`: row id of the last one there was, 0 at the beginning; `most`: how many."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def artifacts(self, after: int, most: int) -> list[Named]:
        """Return artifacts."""
        rows = self._rows("artifact", _NEWEST_VERSION, "n.deleted_us IS NULL AND n.id > :after", after, most)
        return _sound("an artifact", rows)

    def newest_artifact_us(self) -> int | None:
        """Return when the artifact that was made last was made; None if there is none."""
        row = self._engine.one("SELECT created_us FROM artifact WHERE deleted_us IS NULL ORDER BY id DESC LIMIT 1")
        return row[0] if row else None

    def tags(self, after: int, most: int) -> list[Named]:
        """Return the tags that any version carries."""
        carried = "EXISTS (SELECT 1 FROM version_tag x WHERE x.tag_id = n.id)"
        return _sound("a tag", self._rows("tag", "NULL", f"n.id > :after AND {carried}", after, most))

    def models(self, after: int, most: int) -> list[Named]:
        """Return models."""
        return _sound("a model", self._rows("model", "NULL", "n.id > :after", after, most))

    def pipelines(self, after: int, most: int) -> list[Named]:
        """Return pipelines, whose names may be no file names."""
        return [Named._make(row) for row in self._rows("pipeline", _NEWEST_RUN, "n.id > :after", after, most)]

    def versions(self, artifact_id: int, after: int, most: int) -> list[ListedVersion]:
        """Return the versions of an artifact that are not purged."""
        rows = self._engine.at_once(
            "SELECT v.id, v.name, v.tree_id, v.mode, v.mtime_ns, v.user_id, v.created_us FROM version v "
            f"WHERE v.artifact_id = :artifact AND v.state <> 'purged' AND (v.created_us, v.id) > {_AFTER_VERSION} "
            "ORDER BY v.created_us, v.id LIMIT :most",
            ListedVersion._fields,
            {"artifact": artifact_id, "after": after, "most": most},
        )
        for row in rows:
            sound_name("a version", row[1])
        return [ListedVersion._make(row) for row in rows]

    def version_ids(self, artifact_id: int) -> list[int]:
        """Return the ids of all versions of an artifact, oldest first, also of tombstones."""
        rows = self._engine.query(
            "SELECT id FROM version WHERE artifact_id = :artifact ORDER BY created_us, id", {"artifact": artifact_id}
        )
        return [row[0] for row in rows]

    def newest_tagged(self, artifact_id: int) -> list[NewestTagged]:
        """Return the tags that versions of an artifact carry, by name, each with the newest of them."""
        rows = self._engine.query(
            "SELECT g.id, g.name, v.name, v.created_us "
            "FROM (SELECT DISTINCT tag_id FROM version_tag WHERE artifact_id = :artifact) n "
            "JOIN tag g ON g.id = n.tag_id JOIN version v ON v.id = (SELECT x.version_id FROM version_tag x "
            "WHERE x.artifact_id = :artifact AND x.tag_id = n.tag_id "
            "ORDER BY x.version_us DESC, x.version_id DESC LIMIT 1) ORDER BY g.name",
            {"artifact": artifact_id},
        )
        for row in rows:
            sound_name("a tag", row[1])
            sound_name("a version", row[2])
        return [NewestTagged._make(row) for row in rows]

    def tagged(self, tag_id: int, after: int, most: int) -> list[int]:
        """Return the ids of versions that carry a tag."""
        rows = self._engine.query(
            f"SELECT version_id FROM version_tag WHERE tag_id = :tag AND (version_us, version_id) > {_AFTER_VERSION} "
            "ORDER BY version_us, version_id LIMIT :most",
            {"tag": tag_id, "after": after, "most": most},
        )
        return [row[0] for row in rows]

    def is_carried(self, tag_id: int) -> bool:
        """Whether any version carries a tag."""
        row = self._engine.one("SELECT 1 FROM version_tag WHERE tag_id = :tag LIMIT 1", {"tag": tag_id})
        return row is not None

    def is_tagged(self, tag_id: int, version_id: int) -> bool:
        """Whether a version carries a tag."""
        row = self._engine.one(
            "SELECT 1 FROM version_tag WHERE tag_id = :tag AND version_id = :version",
            {"tag": tag_id, "version": version_id},
        )
        return row is not None

    def runs(self, pipeline_id: int, after: int, most: int, *, after_us: int | None = None) -> list[ListedRun]:
        """Return the runs of a pipeline. after_us: when the last one began, where that is known: it may be deleted."""
        rows = self._engine.at_once(
            "SELECT r.id, r.name, r.started_us, r.ended_us FROM run r "
            f"WHERE r.pipeline_id = :pipeline AND (r.started_us, r.id) > {_AFTER_RUN} "
            "ORDER BY r.started_us, r.id LIMIT :most",
            ListedRun._fields,
            {"pipeline": pipeline_id, "after": after, "after_us": after_us, "most": most},
        )
        return [ListedRun._make(row) for row in rows]

    def step_ids(self, run_id: int) -> list[int]:
        """Return the ids of all steps of a run, in the order in which they began."""
        rows = self._engine.query(
            "SELECT id FROM step_run WHERE run_id = :run ORDER BY started_us, id", {"run": run_id}
        )
        return [row[0] for row in rows]

    def _rows(self, table: str, changed: str, condition: str, after: int, most: int) -> Sequence[Row]:
        return self._engine.at_once(
            f"SELECT n.id, n.name, n.created_us, COALESCE({changed}, n.created_us) FROM {table} n "
            f"WHERE {condition} ORDER BY n.id LIMIT :most",
            Named._fields,
            {"after": after, "most": most},
        )


_AFTER_VERSION = "(COALESCE((SELECT l.created_us FROM version l WHERE l.id = :after), 0), :after)"
"""Time and id of the last one: its row stays, also when it is purged or loses the tag meanwhile."""
_AFTER_RUN = (
    "(COALESCE(:after_us, (SELECT l.started_us FROM run l WHERE l.id = :after), "
    "(SELECT MAX(l.started_us) FROM run l WHERE l.pipeline_id = :pipeline AND l.id < :after), 0), :after)"
)
"""The same of a run. When one began that was deleted meanwhile is known to nobody but who has read it; the best guess
then is the last of those that were made before it."""
_NEWEST_VERSION = (
    "(SELECT v.created_us FROM version v WHERE v.artifact_id = n.id AND v.state <> 'purged' "
    "ORDER BY v.created_us DESC LIMIT 1)"
)
_NEWEST_RUN = "(SELECT r.started_us FROM run r WHERE r.pipeline_id = n.id ORDER BY r.started_us DESC LIMIT 1)"


def _sound(what: str, rows: Sequence[Row]) -> list[Named]:
    for row in rows:
        sound_name(what, row[1])
    return [Named._make(row) for row in rows]
