"""The schema explains itself, and is what the contract says."""

from __future__ import annotations

import pytest

from artfs.catalog import Catalog
from artfs.catalog.schema import TABLES, Column, Index, Table

PROMISED = (
    "store connector user machine artifact blob blob_place tree tree_entry version pipeline run step_run step_input "
    "step_output version_meta run_meta tag version_tag artifact_tag visualization environment pin pending step_use "
    "model model_version model_link rule artifact_setting audit schema_version"
)
PROMISED_COLUMNS = {
    "blob_place": {"offset", "length", "encoding", "object_version", "checksum", "generation"},
    "store": {"connector_id", "layout"},
    "version": {"machine_id", "owner"},
    "audit": {"machine_id", "previous", "digest"},
}

COLUMNS = [pytest.param(column, id=f"{table.name}.{column.name}") for table in TABLES for column in table.columns]
INDEXES = [pytest.param(table, index, id=index.name) for table in TABLES for index in table.indexes]


def test_the_promised_tables_are_there(embedded: Catalog) -> None:
    assert set(PROMISED.split()) <= embedded.engine.tables()
    for table, columns in PROMISED_COLUMNS.items():
        found = embedded.engine.query(f"SELECT name FROM pragma_table_info('{table}')")
        assert columns <= {row[0] for row in found}


def test_the_description_is_all_there_is(embedded: Catalog) -> None:
    assert embedded.engine.tables() == {table.name.strip('"') for table in TABLES}
    for table in TABLES:
        columns = embedded.engine.query(f"SELECT name FROM pragma_table_info('{table.name.strip(chr(34))}')")
        assert [row[0] for row in columns] == [column.name.strip('"') for column in table.columns]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_is_explained(column: Column) -> None:
    _is_explained(column.meaning)


@pytest.mark.parametrize("table", [pytest.param(table, id=table.name) for table in TABLES])
def test_every_table_is_explained(table: Table) -> None:
    _is_explained(table.meaning)


@pytest.mark.parametrize(("table", "index"), INDEXES)
def test_every_index_has_a_purpose(table: Table, index: Index) -> None:
    assert len(index.purpose.split()) >= 3
    assert index.name.startswith(table.name)


def test_every_reference_is_found_from_the_other_side(embedded: Catalog) -> None:
    """Else removing one row reads all of the table that refers to it."""
    # Nothing removes rows of these, or hardly ever.
    kept = {"user", "pipeline", "version", "store", "machine"}
    unindexed = []
    for table in TABLES:
        name = table.name.strip('"')
        for row in embedded.engine.query(f"PRAGMA foreign_key_list('{name}')"):
            other, column = row[2], row[3]
            plan = embedded.engine.query(f'EXPLAIN QUERY PLAN SELECT 1 FROM "{name}" WHERE {column} = 1')
            if other not in kept and not plan[0][3].startswith("SEARCH"):
                unindexed.append(f"{name}.{column}")
    assert unindexed == []


def _is_explained(text: str) -> None:
    assert text.endswith(".")
    assert len(text.split()) >= 2
