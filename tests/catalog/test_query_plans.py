"""No question that is asked often reads a whole table: the size of the catalog must not matter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog import Catalog
from artfs.catalog.engine import NO_PARAMETERS, Parameters, Row
from artfs.catalog.engines.sqlite import SQLiteEngine
from support.catalogs import save
from support.questions import QUESTIONS

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


def test_a_version_made_within_a_transaction_is_a_part_of_it(catalog_path: Path) -> None:
    """Without a savepoint of its own, as nothing but the version is made there."""
    with Catalog.open(catalog_path) as catalog:
        save(catalog, "iris")
    recorder = _Recorder(catalog_path)
    catalog = Catalog(recorder)
    with catalog.transaction():
        save(catalog, "iris")
    words = [sql.split()[0] for sql, _ in recorder.statements]
    assert (words[0], words[-1]) == ("BEGIN", "COMMIT")
    assert not {"SAVEPOINT", "RELEASE"} & set(words)
    recorder.close()


@pytest.mark.parametrize(
    ("what", "time"), [("versions", "created_us"), ("runs", "started_us"), ("tagged", "version_us")]
)
def test_a_piece_of_a_listing_reads_no_more_than_it_tells(what: str, time: str, catalog_path: Path) -> None:
    """Else each piece of a directory of 100,000 versions would cost as much as all of it."""
    Catalog.open(catalog_path).close()
    recorder = _Recorder(catalog_path)
    getattr(Catalog(recorder).listings, what)(1, 5, 9)
    ((sql, parameters),) = [each for each in recorder.statements if each[0].startswith(("SELECT", "WITH"))]
    plan = [row[3] for row in recorder.query(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert any(re.search(rf"INDEX .*\b{time}(,version_id\))?>", step) for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
    recorder.close()


def _is_harmless(step: str) -> bool:
    # The newest row of the audit log is the end of its table, read backwards.
    return bool(_HARMLESS.search(step)) or step == "SCAN audit"


def test_a_whole_table_is_noticed(embedded: Catalog) -> None:
    """The test above can fail."""
    plan = embedded.engine.query("EXPLAIN QUERY PLAN SELECT * FROM version WHERE purge_reason = 'x'")
    assert [row[3] for row in plan if _WHOLE_TABLE.search(row[3]) and not _is_harmless(row[3])] != []
