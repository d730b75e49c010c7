"""polars: frames and series as Parquet, which keeps every polars type but two.

Structs without fields go into an Arrow IPC file instead. Columns of Python objects are saved element by element.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import load_nested, save_nested
from artfs.types import DType

with needs("polars", extra="polars"):
    import polars as pl

_SHOWN_ROWS = 20
_SHOWN_COLUMNS = 50
_DESCRIBED_ROWS = 100_000
_OBJECTS_DIRECTORY = "objects"


class DataFrameMaterializer(BaseMaterializer):
    """Saves a frame as `df.parquet`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pl.DataFrame) -> None:
        """Write the frame."""
        _write(self, "df", data)

    def load(self, data_type: type[Any]) -> pl.DataFrame:
        """Return the frame.

        Raises:
            UntrustedPickle: it has Python objects that had to be pickled, and the version is not trusted.
        """
        return _read(self, "df")

    def extract_metadata(self, data: pl.DataFrame) -> dict[str, Any]:
        """Return rows, columns, memory and schema."""
        return {
            "shape": data.shape,
            "rows": data.height,
            "columns": data.width,
            "memory_size": int(data.estimated_size()),
            "schema": _describe(data.schema),
        }

    def save_visualizations(self, data: pl.DataFrame) -> dict[str, VisualizationType]:
        """Show the first rows and a summary of each column."""
        return _show(self, data, f"DataFrame of {data.height:,} rows and {data.width:,} columns")


class LazyFrameMaterializer(BaseMaterializer):
    """Saves what a lazy frame gives when it is collected, as `df.parquet`; it is loaded as a lazy frame over that."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pl.LazyFrame) -> None:
        """Collect the frame and write it."""
        _write(self, "df", data.collect())

    def load(self, data_type: type[Any]) -> pl.LazyFrame:
        """Return a lazy frame over the collected rows.

        Raises:
            UntrustedPickle: it has Python objects that had to be pickled, and the version is not trusted.
        """
        return _read(self, "df").lazy()

    def extract_metadata(self, data: pl.LazyFrame) -> dict[str, Any]:
        """Return the schema."""
        schema = data.collect_schema()
        return {"columns": len(schema), "schema": _describe(schema)}


class SeriesMaterializer(BaseMaterializer):
    """Saves a series as `series.parquet`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pl.Series) -> None:
        """Write the series."""
        _write(self, "series", data.to_frame())

    def load(self, data_type: type[Any]) -> pl.Series:
        """Return the series.

        Raises:
            UntrustedPickle: it has Python objects that had to be pickled, and the version is not trusted.
        """
        return _read(self, "series").to_series()

    def extract_metadata(self, data: pl.Series) -> dict[str, Any]:
        """Return length, dtype, missing values and memory."""
        return {
            "length": len(data),
            "dtype": DType(data.dtype),
            "nulls": data.null_count(),
            "memory_size": int(data.estimated_size()),
        }

    def save_visualizations(self, data: pl.Series) -> dict[str, VisualizationType]:
        """Show the first elements and a summary."""
        return _show(self, data.to_frame(), f"Series of {len(data):,} elements")


def _write(materializer: BaseMaterializer, name: str, frame: pl.DataFrame) -> None:
    objects = {column.name: column.to_list() for column in frame if column.dtype == pl.Object}
    if objects:
        save_nested(materializer, _OBJECTS_DIRECTORY, {"order": frame.columns, "columns": objects})
        frame = pl.DataFrame({column.name: column for column in frame if column.dtype != pl.Object})
    base = Path(materializer.uri, name)
    if any(_has_empty_struct(dtype) for dtype in frame.dtypes):
        frame.write_ipc(base.with_suffix(".arrow"))
    else:
        frame.write_parquet(base.with_suffix(".parquet"))


def _read(materializer: BaseMaterializer, name: str) -> pl.DataFrame:
    base = Path(materializer.uri, name)
    parquet = base.with_suffix(".parquet")
    frame = pl.read_parquet(parquet) if parquet.exists() else pl.read_ipc(base.with_suffix(".arrow"))
    if not Path(materializer.uri, _OBJECTS_DIRECTORY).exists():
        return frame
    objects = load_nested(materializer, _OBJECTS_DIRECTORY)
    columns = {column.name: column for column in frame}
    columns |= {name: pl.Series(name, values, dtype=pl.Object) for name, values in objects["columns"].items()}
    # By a dict: in a selection some names are patterns, and a list of columns gives a name to one that has none.
    return pl.DataFrame({name: columns[name] for name in objects["order"]})


def _has_empty_struct(dtype: Any) -> bool:
    if isinstance(dtype, pl.Struct):
        return not dtype.fields or any(_has_empty_struct(field.dtype) for field in dtype.fields)
    return isinstance(dtype, pl.List | pl.Array) and _has_empty_struct(dtype.inner)


def _describe(schema: pl.Schema) -> dict[str, DType]:
    return {name: DType(dtype) for name, dtype in schema.items()}


def _show(materializer: BaseMaterializer, frame: pl.DataFrame, title: str) -> dict[str, VisualizationType]:
    shown = frame[:, :_SHOWN_COLUMNS]
    parts = [html_page.section(f"First {min(_SHOWN_ROWS, shown.height)} rows", _as_html(shown.head(_SHOWN_ROWS)))]
    summarized = shown.head(_DESCRIBED_ROWS).select(pl.selectors.numeric() | pl.selectors.temporal())
    if summarized.width and summarized.height and not any(map(_is_pattern, summarized.columns)):
        of = "" if shown.height <= _DESCRIBED_ROWS else f" of the first {_DESCRIBED_ROWS:,} rows"
        parts.append(html_page.section(f"Summary{of}", _as_html(summarized.describe())))
    parts.append(html_page.section("Columns", html_page.table(_describe(shown.schema).items())))
    return html_page.write_page(materializer, "table.html", title, *parts)


def _is_pattern(name: str) -> bool:
    """Whether polars itself takes the name of a column for several ones."""
    return name == "*" or (name.startswith("^") and name.endswith("$"))


def _as_html(frame: pl.DataFrame) -> str:
    rows = (["" if cell is None else cell for cell in row] for row in frame.iter_rows())
    return html_page.grid(frame.columns, rows)
