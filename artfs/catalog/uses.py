"""What versions are used for, by runs and by people who tagged them: what a removal has to ask.

A version is used by every run that read it, and by the runs of pipelines that gave it out. That a program outside of
pipelines was seen making it is no use: then everything ever written through a mount would be used.
"""

from __future__ import annotations

from artfs.catalog.engine import Engine, Parameters

_OF_A_PIPELINE = "JOIN run r ON r.id = s.run_id AND r.kind = 'pipeline'"
_READ = "SELECT i.version_id AS version_id, i.step_run_id AS step_run_id FROM step_input i WHERE i.version_id {among}"
_GIVEN_OUT = (
    "SELECT o.version_id, o.step_run_id FROM step_output o "
    f"JOIN step_run s ON s.id = o.step_run_id {_OF_A_PIPELINE} WHERE o.version_id {{among}}"
)
_MADE = (
    "SELECT v.id, v.producer_id FROM version v "
    f"JOIN step_run s ON s.id = v.producer_id {_OF_A_PIPELINE} WHERE v.id {{among}}"
)


class Uses:
    """Questions about all versions at once, or about those of one artifact."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def runs(self, artifact_id: int | None = None) -> dict[int, str]:
        """Return the newest run that uses a version, as `pipeline/run`, by version id."""
        among, parameters = _among(artifact_id)
        uses = " UNION ALL ".join(use.format(among=among) for use in (_READ, _GIVEN_OUT, _MADE))
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


def _among(artifact_id: int | None) -> tuple[str, Parameters]:
    """A condition that a version is one of those that are asked about, and its parameters."""
    if artifact_id is None:
        return "IS NOT NULL", {}
    return "IN (SELECT w.id FROM version w WHERE w.artifact_id = :artifact)", {"artifact": artifact_id}
