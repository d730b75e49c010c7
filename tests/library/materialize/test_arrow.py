"""Arrow tables and arrays come back with every type, mapped into memory."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from artfs.errors import MaterializerError, UntrustedPickle
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
    "extension types of arrow": lambda: pa.table(
        {
            "u": pa.array([b"0" * 16], pa.uuid()),
            "j": pa.array(["{}"], pa.json_()),
            "t": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((1, 2))),
            "o": pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "t", "v"), pa.array([1])),
        }
    ),
}


class Metres(pa.ExtensionType):
    """An extension type of a user."""

    def __init__(self) -> None:
        super().__init__(pa.float64(), "tests.metres")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Metres:
        return cls()


def _metres() -> pa.ExtensionArray:
    return pa.ExtensionArray.from_storage(Metres(), pa.array([1.5, None]))


EXTENDED: dict[str, Callable[[], Any]] = {
    "array": _metres,
    "chunked array": lambda: pa.chunked_array([_metres()]),
    "table": lambda: pa.table({"a": _metres()}),
    "batch": lambda: pa.record_batch({"a": _metres()}),
    "list": lambda: pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), _metres()),
    "struct": lambda: pa.table({"a": pa.StructArray.from_arrays([_metres()], ["x"])}),
    "schema": lambda: pa.schema([("a", pa.list_(Metres()))]),
}


@pytest.fixture
def registered() -> Iterator[None]:
    pa.register_extension_type(Metres())
    yield
    with contextlib.suppress(pa.ArrowKeyError):
        pa.unregister_extension_type("tests.metres")


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


@pytest.mark.parametrize("name", EXTENDED)
@pytest.mark.usefixtures("registered")
def test_an_extension_type_comes_back_or_is_refused_by_name(name: str, tmp_path: Path) -> None:
    value = EXTENDED[name]()
    assert_same(value, there_and_back(value, tmp_path / "known"))
    saver = save_as_chosen(value, tmp_path / "unknown")
    pa.unregister_extension_type("tests.metres")
    with pytest.raises(MaterializerError, match=r"'tests.metres' \(.*Metres\), which is not registered") as raised:
        saver.load(type(value))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", EXTENDED)
def test_an_extension_type_that_nobody_could_load_is_not_saved(name: str, tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match=r"'tests.metres' is not registered, so it would be lost"):
        save_as_chosen(EXTENDED[name](), tmp_path / "data")


def test_an_extension_type_is_found_by_the_module_of_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_units.py").write_text(
        "import pyarrow as pa\n"
        "class Feet(pa.ExtensionType):\n"
        "    def __init__(self): super().__init__(pa.float64(), 'tests.feet')\n"
        "    def __arrow_ext_serialize__(self): return b''\n"
        "    @classmethod\n"
        "    def __arrow_ext_deserialize__(cls, storage, serialized): return cls()\n"
        "pa.register_extension_type(Feet())\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    feet = importlib.import_module("own_units").Feet()
    saver = save_as_chosen(pa.table({"a": pa.ExtensionArray.from_storage(feet, pa.array([1.0]))}), tmp_path / "data")
    for trusted in (False, True):
        saver.trusted = trusted
        sys.modules.pop("own_units", None)
        pa.unregister_extension_type("tests.feet")
        if trusted:
            assert saver.load(pa.Table).schema.field("a").type.extension_name == "tests.feet"
        else:
            with pytest.raises(UntrustedPickle):
                saver.load(pa.Table)
            pa.register_extension_type(feet)
    pa.unregister_extension_type("tests.feet")


def test_a_note_of_an_extension_type_that_is_none_here_stays_a_note(tmp_path: Path) -> None:
    noted = pa.schema([pa.field("a", pa.int8(), metadata={"ARROW:extension:name": "somebody.elses"})])
    assert there_and_back(noted, tmp_path).equals(noted, check_metadata=True)


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
