"""No question that is asked often reads a whole table: the size of the catalog must not matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog import Catalog
from artfs.catalog.engine import NO_PARAMETERS, Parameters, Row
from artfs.catalog.sqlite import SQLiteEngine
from artfs.content.digest import hash_bytes
from support.catalogs import save, tree_with

DIGEST = hash_bytes(b"content")

QUESTIONS: Mapping[str, Callable[[Catalog], object]] = {
    "artifact by name": lambda c: c.artifacts.get("iris"),
    "artifact by id": lambda c: c.artifacts.by_id(1),
    "newest version": lambda c: c.versions.latest(1),
    "version by name": lambda c: c.versions.get(1, "1"),
    "version by uuid": lambda c: c.versions.by_uuid("u"),
    "version by prefix": lambda c: c.versions.by_uuid_prefix("ab"),
    "version by tag": lambda c: c.versions.by_tag(1, "prod"),
    "versions of an artifact": lambda c: c.versions.names(1),
    "versions with a content": lambda c: c.versions.using_blob(1),
    "staged versions": lambda c: c.versions.staged(),
    "page of an artifact": lambda c: c.versions.list(1, {"type": "x"}, sort="desc:created", size=20),
    "page by rare number": lambda c: c.versions.list(None, {"metadata.n": "gt:5"}, sort="desc:created", size=20),
    "page by rare tag": lambda c: c.versions.list(None, {"tag": "prod"}, sort="desc:created", size=20),
    "page by name": lambda c: c.versions.list(None, {"name": "x"}, sort="desc:created", size=20),
    "page by type": lambda c: c.versions.list(None, {"type": "x"}, sort="desc:created", size=20),
    "count by rare number": lambda c: c.versions.count(None, {"metadata.n": "gt:5"}),
    "entries of a directory": lambda c: c.trees.entries(1),
    "entry of a directory": lambda c: c.trees.entry(1, b"file"),
    "entry by inode": lambda c: c.trees.by_inode(10**6),
    "tree": lambda c: c.trees.tree(1),
    "whole tree": lambda c: c.trees.load(1),
    "blob by digest": lambda c: c.blobs.get(DIGEST),
    "places of a blob": lambda c: c.blobs.places(1),
    "some places of a store": lambda c: c.blobs.paths_in(1, 10),
    "places below a directory": lambda c: c.blobs.any_below(1, b"iris/uuid"),
    "newest version of all": lambda c: c.versions.newest_row(),
    "known digests": lambda c: c.blobs.known([DIGEST]),
    "gone places": lambda c: c.blobs.gone_places(),
    "owned paths": lambda c: c.blobs.owned_paths(1, [b"x"]),
    "plan of a prune": lambda c: c.blobs.freed_by([1]),
    "tags of a version": lambda c: c.tags.of_version(1),
    "newest of every tag": lambda c: c.tags.newest(1),
    "versions with a tag": lambda c: c.tags.version_ids("prod"),
    "metadata": lambda c: c.metadata.get(1),
    "history": lambda c: c.metadata.history(1, "n"),
    "run metadata": lambda c: c.run_metadata.get(1),
    "runs of a pipeline": lambda c: c.runs.names(1),
    "newest run": lambda c: c.runs.latest(1),
    "page of runs": lambda c: c.runs.list(1, {"status": "failed"}, sort="desc:started", size=20),
    "unfinished runs": lambda c: c.runs.unfinished("host"),
    "steps of a run": lambda c: c.steps.list(1),
    "inputs": lambda c: c.steps.inputs(1),
    "outputs": lambda c: c.steps.outputs(1),
    "cached step": lambda c: c.steps.find_cached(DIGEST),
    "upstream": lambda c: c.lineage.upstream(1),
    "downstream": lambda c: c.lineage.downstream(1),
    "ancestors": lambda c: c.lineage.ancestors(1),
    "descendants": lambda c: c.lineage.descendants(1),
    "consumers": lambda c: c.lineage.consumers(1),
    "pin": lambda c: c.pins.get(1),
    "visualizations": lambda c: c.visualizations.list(1),
    "audit of a subject": lambda c: c.audit.list("iris@1"),
    "newest of the audit log": lambda c: c.audit.list(limit=10),
    "a save": lambda c: save(c, "iris", {b"d/a": b"new", b"b": b"content"}, tags=["prod"], metadata={"n": 2}, user="a"),
    "a save of a name": lambda c: save(c, "iris", tree_with({b"f": b"2"}), name="chosen"),
    "a purge": lambda c: c.versions.purge(1, "test"),
    "an input": lambda c: c.steps.add_input(1, "in", 1),
    "dropped places": lambda c: c.blobs.drop_places([1]),
    "forgotten places": lambda c: c.blobs.forget_places([1]),
}

# Lists that the statement itself made, an index of exactly what is asked for, and SQLite's own counters.
_HARMLESS = re.compile(
    r"SCAN (below|above|found|file|n|.*CONSTANT ROWS?|sqlite_sequence|v USING INDEX version_staged)\b|SCAN SUBQUERY"
)
_WHOLE_TABLE = re.compile(r"\bSCAN\b")


class _Recorder(SQLiteEngine):
    """An engine that keeps every statement."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.statements: list[tuple[str, Any]] = []

    def query(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        self.statements.append((sql, parameters))
        return super().query(sql, parameters)

    def execute(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> int:
        self.statements.append((sql, parameters))
        return super().execute(sql, parameters)


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_whole_table_is_read(question: str, catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        save(catalog, "iris", b"content", tags=["prod"], metadata={"n": 1})
        catalog.steps.create(catalog.runs.create("pipeline", "run").id, "step")
    recorder = _Recorder(catalog_path)
    QUESTIONS[question](Catalog(recorder))
    statements = [each for each in recorder.statements if each[0].split()[0] in ("SELECT", "WITH", "UPDATE", "DELETE")]
    assert statements
    read = []
    for sql, parameters in statements:
        plan = [row[3] for row in recorder.query(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        read += [f"{step}: {sql}" for step in plan if _WHOLE_TABLE.search(step) and not _is_harmless(step)]
    assert read == []
    recorder.close()


def _is_harmless(step: str) -> bool:
    # The newest row of the audit log is the end of its table, read backwards.
    return bool(_HARMLESS.search(step)) or step == "SCAN audit"


def test_a_whole_table_is_noticed(catalog: Catalog) -> None:
    """The test above can fail."""
    plan = catalog.engine.query("EXPLAIN QUERY PLAN SELECT * FROM version WHERE purge_reason = 'x'")
    assert [row[3] for row in plan if _WHOLE_TABLE.search(row[3]) and not _is_harmless(row[3])] != []
