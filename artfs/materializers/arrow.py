"""Apache Arrow: tables, record batches, arrays and schemas as Arrow IPC files, loaded as memory maps.

An IPC file holds Arrow's own layout, so nothing is converted and every type comes back, and a loaded table reads
from the file only what is looked at.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, ClassVar

from artfs.classes import recorded_name
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import ClassNotFound, MaterializerError
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.registry import registry
from artfs.types import DType

with needs("pyarrow", extra="arrow"):
    import pyarrow as pa

_SHOWN_ROWS = 20
_SHOWN_CHARACTERS = 200
_ARRAY_COLUMN = "array"
_EXTENSIONS_FILE = "extensions.json"


class TableMaterializer(BaseMaterializer):
    """Saves a table or record batch as `table.arrow`, with its schema's metadata and its chunks."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

    def save(self, data: pa.Table | pa.RecordBatch) -> None:
        """Write the table or batch."""
        _write(self, "table.arrow", data)

    def load(self, data_type: type[Any]) -> Any:
        """Return the table or batch, mapped into memory."""
        batches = _read(self, "table.arrow")
        return batches.get_batch(0) if issubclass(data_type, pa.RecordBatch) else batches.read_all()

    def extract_metadata(self, data: pa.Table | pa.RecordBatch) -> dict[str, Any]:
        """Return rows, columns, memory and schema."""
        return {
            "shape": (data.num_rows, data.num_columns),
            "rows": data.num_rows,
            "columns": data.num_columns,
            "memory_size": data.nbytes,
            "schema": _describe(data.schema),
        }

    def save_visualizations(self, data: pa.Table | pa.RecordBatch) -> dict[str, VisualizationType]:
        """Show the first rows and the schema."""
        title = f"Table of {data.num_rows:,} rows and {data.num_columns:,} columns"
        first = _rows_as_html(data.slice(0, _SHOWN_ROWS))
        return html_page.write_page(self, "table.html", title, first, html_page.table(_describe(data.schema).items()))


class ArrayMaterializer(BaseMaterializer):
    """Saves an array or chunked array as the one column of `array.arrow`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

    def save(self, data: pa.Array | pa.ChunkedArray) -> None:
        """Write the array."""
        _write(self, "array.arrow", pa.table({_ARRAY_COLUMN: data}))

    def load(self, data_type: type[Any]) -> Any:
        """Return the array, mapped into memory."""
        column = _read(self, "array.arrow").read_all().column(0)
        if issubclass(data_type, pa.ChunkedArray):
            return column
        return column.chunk(0) if column.num_chunks == 1 else pa.array([], column.type)

    def extract_metadata(self, data: pa.Array | pa.ChunkedArray) -> dict[str, Any]:
        """Return length, type, missing values and memory."""
        return {"length": len(data), "dtype": DType(data.type), "nulls": data.null_count, "memory_size": data.nbytes}


class SchemaMaterializer(BaseMaterializer):
    """Saves a schema as the message `schema.arrow`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.SCHEMA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pa.Schema) -> None:
        """Write the schema."""
        _write_extensions(self, data)
        Path(self.uri, "schema.arrow").write_bytes(data.serialize().to_pybytes())

    def load(self, data_type: type[Any]) -> Any:
        """Return the schema."""
        message = pa.py_buffer(Path(self.uri, "schema.arrow").read_bytes())
        found = _read_schema(message)
        return _read_schema(message) if _were_registered(self, found) else found

    def extract_metadata(self, data: pa.Schema) -> dict[str, Any]:
        """Return the type of each column."""
        return {"columns": len(data), "schema": _describe(data)}


def _write(materializer: BaseMaterializer, file_name: str, table: pa.Table | pa.RecordBatch) -> None:
    if isinstance(table, pa.Table):
        table = table.unify_dictionaries()  # a file has one dictionary a column, however many chunks
    _write_extensions(materializer, table.schema)
    with pa.OSFile(str(Path(materializer.uri, file_name)), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write(table)


def _read(materializer: BaseMaterializer, file_name: str) -> Any:
    path = str(Path(materializer.uri, file_name))
    found = pa.ipc.open_file(pa.memory_map(path))
    return pa.ipc.open_file(pa.memory_map(path)) if _were_registered(materializer, found.schema) else found


def _write_extensions(materializer: BaseMaterializer, schema: pa.Schema) -> None:
    """Write down which types are extension types: for whoever does not know one, a file says it as a note only."""
    found = _extensions(schema)
    if not found:
        return
    for name in found.keys() - _extensions(_read_schema(schema.serialize())).keys():
        raise MaterializerError(
            f"the extension type '{name}' is not registered, so it would be lost: call pyarrow.register_extension_type"
            " for it before you save",
            subject=name,
        )
    Path(materializer.uri, _EXTENSIONS_FILE).write_text(json.dumps(found, sort_keys=True) + "\n")


def _were_registered(materializer: BaseMaterializer, schema: pa.Schema) -> bool:
    """Have the extension types known that the values were saved with; return whether that has changed anything.

    Raises:
        MaterializerError: one of them is not registered here, and the module of its class does not do it.
    """
    path = Path(materializer.uri, _EXTENSIONS_FILE)
    wanted = json.loads(path.read_text()) if path.exists() else {}
    missing = wanted.keys() - _extensions(schema).keys()
    for name in missing:
        with contextlib.suppress(ClassNotFound):
            registry.type_by_name(wanted[name], trusted=materializer.trusted)
    for name in missing - _extensions(_read_schema(schema.serialize())).keys():
        raise MaterializerError(
            f"this value has the extension type '{name}' ({wanted[name]}), which is not registered here: call"
            " pyarrow.register_extension_type for it first",
            subject=name,
        )
    return bool(missing)


def _read_schema(message: pa.Buffer) -> pa.Schema:
    return pa.ipc.read_schema(message)


def _extensions(schema: pa.Schema) -> dict[str, str]:
    """Return the names of a schema's extension types, at any depth, with those of their classes."""
    found: dict[str, str] = {}
    waiting = list(schema.types)
    while waiting:
        each = waiting.pop()
        if isinstance(each, pa.BaseExtensionType):
            found[each.extension_name] = recorded_name(type(each))
            waiting.append(each.storage_type)
        elif isinstance(each, pa.DictionaryType | pa.RunEndEncodedType):
            waiting.append(each.value_type)
        else:
            waiting += [each.field(index).type for index in range(each.num_fields)]
    return found


def _describe(schema: pa.Schema) -> dict[str, DType]:
    return {field.name: DType(field.type) for field in schema}


def _rows_as_html(table: pa.Table | pa.RecordBatch) -> str:
    columns = [[_shown(value) for value in column] for column in table.columns]
    return html_page.grid(table.schema.names, zip(*columns, strict=True))


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
