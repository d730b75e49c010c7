"""Arrow tables and arrays come back with every type, mapped into memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files


def _table() -> pa.Table:
    columns = {
        "id": ["007", None],
        "n": pa.array([1, None], pa.int8()),
        "when": pa.array([1, 2], pa.timestamp("s", "Europe/Berlin")),
        "l": [[1], None],
        "d": pa.array(["p", "q"]).dictionary_encode(),
        "m": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int8())),
        "u": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]),
        "v": pa.array(["short", "a text that is longer than twelve bytes"], pa.string_view()),
    }
    return pa.table(columns).replace_schema_metadata({b"made by": b"a test"})


CASES: dict[str, Callable[[], Any]] = {
    "table": _table,
    "table of two chunks": lambda: pa.concat_tables([_table().select(["id", "n"])] * 2),
    "table without rows": lambda: _table().slice(0, 0),
    "table without columns": lambda: pa.table({}),
    "batch": lambda: _table().to_batches()[0],
    "batch without rows": lambda: _table().to_batches()[0].slice(0, 0),
    "array": lambda: pa.array([1, None, 3]),
    "slice of an array": lambda: pa.array([1, None, 3]).slice(1),
    "empty array": lambda: pa.array([], pa.string()),
    "dictionary array": lambda: pa.array(["x", "y", "x"]).dictionary_encode(),
    "chunked array": lambda: pa.chunked_array([[1], [2, 3]]),
    "chunked array without chunks": lambda: pa.chunked_array([], pa.int8()),
    "schema": lambda: _table().schema,
}


def assert_same(one: Any, other: Any) -> None:
    assert type(other) is type(one)
    assert other.equals(one)
    if isinstance(one, pa.Table | pa.RecordBatch):
        assert other.schema.equals(one.schema, check_metadata=True)
    if isinstance(one, pa.ChunkedArray):
        assert other.num_chunks == one.num_chunks


@pytest.mark.parametrize("name", CASES)
def test_a_value_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path))


def test_values_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    check_in_fresh_process(__file__, CASES, (), tmp_path)


def test_chunks_with_dictionaries_of_their_own_come_back_with_one(tmp_path: Path) -> None:
    chunks = [pa.array(texts).dictionary_encode() for texts in (["p", "q"], ["z", "p"])]
    table = pa.table({"d": pa.chunked_array(chunks)})
    assert there_and_back(table, tmp_path).to_pylist() == table.to_pylist()


def test_a_table_is_an_ipc_file_and_is_mapped(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array(range(100_000))})
    before = pa.total_allocated_bytes()
    loaded = there_and_back(table, tmp_path)
    assert files(tmp_path / "data") == ["table.arrow"]
    assert pa.total_allocated_bytes() - before < loaded.nbytes / 10
    (tmp_path / "data" / "table.arrow").unlink()
    assert loaded.equals(table)


def test_metadata_and_page_of_a_table(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "<b>": ["x", "<script>"]})
    saver = save_as_chosen(table, tmp_path / "data")
    saver.visualizations_dir = str(tmp_path / "shown")
    assert saver.extract_metadata(table)["schema"] == {"a": "int64", "<b>": "string"}
    [path] = saver.save_visualizations(table)
    assert "<script>" not in Path(path).read_text()
