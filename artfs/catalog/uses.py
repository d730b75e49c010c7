"""What versions are used for, by runs, models and people who tagged them: what a removal has to ask.

A version is used by every run that read it, and by the runs of pipelines that gave it out. That a program outside of
pipelines was seen making it is no use: then everything ever written through a mount would be used.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from artfs.catalog.engine import Engine, Parameters, Row, in_lists
from artfs.catalog.version_rows import COLUMNS, FROM, SEALED_BY_THEMSELVES, Version, version_of

_OF_A_PIPELINE = "JOIN run r ON r.id = s.run_id AND r.kind = 'pipeline'"
_READ = "SELECT i.version_id AS version_id, i.step_run_id AS step_run_id FROM step_input i WHERE i.version_id {among}"
_GIVEN_OUT = (
    "SELECT o.version_id, o.step_run_id FROM step_output o "
    f"JOIN step_run s ON s.id = o.step_run_id {_OF_A_PIPELINE} WHERE o.version_id {{among}}"
)
_MADE = (
    "SELECT m.id, m.producer_id FROM version m "
    f"JOIN step_run s ON s.id = m.producer_id {_OF_A_PIPELINE} WHERE m.id {{among}}"
)
_TAG = "SELECT 1 FROM version_tag x WHERE x.version_id {among}"
_MODEL = "SELECT 1 FROM model_link k WHERE k.version_id {among}"
_PIN = "SELECT 1 FROM pin p WHERE p.version_id {among}"
_BY_RUNS = (_READ, _GIVEN_OUT, _MADE)


class Uses:
    """Questions about all versions at once, or about those of one artifact."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def runs(self, artifact_id: int | None = None) -> dict[int, str]:
        """Return the newest run that uses a version, as `pipeline/run`, by version id."""
        among, parameters = _among(artifact_id)
        uses = " UNION ALL ".join(use.format(among=among) for use in _BY_RUNS)
        rows = self._engine.query(
            "SELECT u.version_id, p.name, r.name FROM "
            f"(SELECT version_id, MAX(step_run_id) AS step_run_id FROM ({uses}) each_use GROUP BY version_id) u "
            "JOIN step_run s ON s.id = u.step_run_id JOIN run r ON r.id = s.run_id "
            "JOIN pipeline p ON p.id = r.pipeline_id",
            parameters,
        )
        return {version_id: f"{pipeline}/{run}" for version_id, pipeline, run in rows}

    def tags(self, artifact_id: int | None = None) -> dict[int, list[str]]:
        """Return the tags of every version that carries any, sorted, by version id."""
        among, parameters = _among(artifact_id)
        rows = self._engine.query(
            "SELECT x.version_id, g.name FROM version_tag x JOIN tag g ON g.id = x.tag_id "
            f"WHERE x.version_id {among} ORDER BY g.name",
            parameters,
        )
        found: dict[int, list[str]] = {}
        for version_id, name in rows:
            found.setdefault(version_id, []).append(name)
        return found

    def models(self, artifact_id: int | None = None) -> dict[int, str]:
        """Return the newest version of a model that a version is in, as `model/version`, by version id."""
        among, parameters = _among(artifact_id)
        rows = self._engine.query(
            "SELECT k.version_id, m.name, c.name FROM model_link k JOIN model_version c ON c.id = k.model_version_id "
            f"JOIN model m ON m.id = c.model_id WHERE k.version_id {among} ORDER BY c.id",
            parameters,
        )
        return {version_id: f"{model}/{version}" for version_id, model, version in rows}

    def needless(
        self, store_ids: Collection[int], *, newest: int, limit: int, artifact_id: int | None = None, after: int = 0
    ) -> Sequence[Version]:
        """Return versions that drafts became by themselves, and that no tag, pin, model or run needs, oldest first.

        Where there are none it has read all versions.

        Args:
            store_ids: only versions in these stores.
            newest: without so many of the newest versions of each artifact.
            limit: at most so many.
            artifact_id: only those of one artifact.
            after: only versions after this row.
        """
        signs = ", ".join(f"'{sign}'" for sign in SEALED_BY_THEMSELVES)
        unused = " ".join(f"AND NOT EXISTS ({use})" for use in (_TAG, _PIN, _MODEL, *_BY_RUNS)).format(among="= v.id")
        one = "" if artifact_id is None else "AND v.artifact_id = :artifact"
        rows: list[Row] = []
        for stores, parameters in in_lists(store_ids):
            rows += self._engine.query(
                f"SELECT {COLUMNS} {FROM} WHERE v.id > :after AND v.state = 'live' AND v.sealed_by IN ({signs}) "
                f"AND v.store_id IN ({stores}) {one} {unused} "
                "AND (SELECT COUNT(*) FROM (SELECT 1 FROM version w WHERE w.artifact_id = v.artifact_id "
                "AND w.state <> 'purged' AND w.id > v.id LIMIT :newest) newer) = :newest ORDER BY v.id LIMIT :limit",
                {**parameters, "artifact": artifact_id, "newest": newest, "limit": limit, "after": after},
            )
        return [version_of(row) for row in rows]


def _among(artifact_id: int | None) -> tuple[str, Parameters]:
    """A condition that a version is one of those that are asked about, and its parameters."""
    if artifact_id is None:
        return "IS NOT NULL", {}
    return "IN (SELECT w.id FROM version w WHERE w.artifact_id = :artifact)", {"artifact": artifact_id}
