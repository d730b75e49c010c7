"""Apache Arrow: tables, record batches, arrays and schemas as Arrow IPC files, loaded as memory maps.

An IPC file holds Arrow's own layout, so nothing is converted and every type comes back, and a loaded table reads
from the file only what is looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.types import DType

with needs("pyarrow", extra="arrow"):
    import pyarrow as pa

_SHOWN_ROWS = 20
_SHOWN_CHARACTERS = 200
_ARRAY_COLUMN = "array"


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
        Path(self.uri, "schema.arrow").write_bytes(data.serialize().to_pybytes())

    def load(self, data_type: type[Any]) -> Any:
        """Return the schema."""
        return pa.ipc.read_schema(pa.py_buffer(Path(self.uri, "schema.arrow").read_bytes()))

    def extract_metadata(self, data: pa.Schema) -> dict[str, Any]:
        """Return the type of each column."""
        return {"columns": len(data), "schema": _describe(data)}


def _write(materializer: BaseMaterializer, file_name: str, table: pa.Table | pa.RecordBatch) -> None:
    if isinstance(table, pa.Table):
        table = table.unify_dictionaries()  # a file has one dictionary a column, however many chunks
    with pa.OSFile(str(Path(materializer.uri, file_name)), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write(table)


def _read(materializer: BaseMaterializer, file_name: str) -> Any:
    return pa.ipc.open_file(pa.memory_map(str(Path(materializer.uri, file_name))))


def _describe(schema: pa.Schema) -> dict[str, DType]:
    return {field.name: DType(field.type) for field in schema}


def _rows_as_html(table: pa.Table | pa.RecordBatch) -> str:
    columns = [[_shown(value) for value in column] for column in table.columns]
    return html_page.grid(table.schema.names, zip(*columns, strict=True))


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
