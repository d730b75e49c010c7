"""pandas: frames, series, indexes and arrays as Parquet; single values as JSON."""

from __future__ import annotations

from typing import Any, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.json.materializer import JsonMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.pandas.tables import FrameColumns, frame_from, read_table, series_from, write_table
from artfs.types import DType

with needs("pandas and pyarrow", extra="pandas"):
    import numpy as np
    import pandas as pd

_SHOWN_ROWS = 20
_SHOWN_COLUMNS = 50
_DESCRIBED_ROWS = 100_000
_MOST_COLUMNS_IN_METADATA = 1000


class DataFrameMaterializer(BaseMaterializer):
    """Saves a frame as `df.parquet`: dtypes, index, names, categories, time zones, order and attrs come back."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pd.DataFrame) -> None:
        """Write the frame."""
        values = [data.iloc[:, position].array for position in range(data.shape[1])]
        facts = {"attrs": data.attrs, "allows_duplicate_labels": data.flags.allows_duplicate_labels}
        write_table(self, "df.parquet", FrameColumns(values, data.columns, data.index, facts))

    def load(self, data_type: type[Any]) -> pd.DataFrame:
        """Return the frame.

        Raises:
            UntrustedPickle: it has objects that had to be pickled, and the version is not trusted.
        """
        columns = read_table(self, "df.parquet")
        return _with_facts(frame_from(columns), columns.facts)

    def extract_metadata(self, data: pd.DataFrame) -> dict[str, Any]:
        """Return rows, columns, memory and the dtype of each column (of the first thousand)."""
        dtypes = zip(data.columns[:_MOST_COLUMNS_IN_METADATA], data.dtypes, strict=False)
        return {
            "shape": data.shape,
            "rows": data.shape[0],
            "columns": data.shape[1],
            "memory_size": int(data.memory_usage().sum()),
            "schema": {str(name): DType(dtype) for name, dtype in dtypes},
        }

    def save_visualizations(self, data: pd.DataFrame) -> dict[str, VisualizationType]:
        """Show the first rows and a summary of each column."""
        return _show(self, data, f"DataFrame of {data.shape[0]:,} rows and {data.shape[1]:,} columns")


class SeriesMaterializer(BaseMaterializer):
    """Saves a series as `series.parquet`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pd.Series[Any]) -> None:
        """Write the series."""
        facts = {"attrs": data.attrs, "allows_duplicate_labels": data.flags.allows_duplicate_labels}
        write_table(self, "series.parquet", FrameColumns([data.array], _label(data.name), data.index, facts))

    def load(self, data_type: type[Any]) -> pd.Series[Any]:
        """Return the series.

        Raises:
            UntrustedPickle: it has objects that had to be pickled, and the version is not trusted.
        """
        columns = read_table(self, "series.parquet")
        series = series_from(columns.values[0], columns.index)
        series.name = columns.labels[0]
        return _with_facts(series, columns.facts)

    def extract_metadata(self, data: pd.Series[Any]) -> dict[str, Any]:
        """Return length, dtype and memory."""
        return {"length": len(data), "dtype": DType(data.dtype), "memory_size": int(data.memory_usage())}

    def save_visualizations(self, data: pd.Series[Any]) -> dict[str, VisualizationType]:
        """Show the first elements and a summary."""
        return _show(self, data.to_frame(), f"Series of {len(data):,} elements")


class IndexMaterializer(BaseMaterializer):
    """Saves an index of any kind as `index.parquet`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pd.Index[Any]) -> None:
        """Write the index."""
        write_table(self, "index.parquet", FrameColumns([], pd.RangeIndex(0), data, {}))

    def load(self, data_type: type[Any]) -> pd.Index[Any]:
        """Return the index.

        Raises:
            UntrustedPickle: it has objects that had to be pickled, and the version is not trusted.
        """
        return read_table(self, "index.parquet").index

    def extract_metadata(self, data: pd.Index[Any]) -> dict[str, Any]:
        """Return length, dtype, and the number of levels."""
        return {"length": len(data), "dtype": DType(data.dtype), "levels": data.nlevels}


class ArrayMaterializer(BaseMaterializer):
    """Saves an array of pandas (a Categorical, nullable integers, periods) as `array.parquet`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: pd.api.extensions.ExtensionArray) -> None:
        """Write the array."""
        write_table(self, "array.parquet", FrameColumns([data], _label("array"), pd.RangeIndex(len(data)), {}))

    def load(self, data_type: type[Any]) -> pd.api.extensions.ExtensionArray:
        """Return the array.

        Raises:
            UntrustedPickle: it has objects that had to be pickled, and the version is not trusted.
        """
        values = read_table(self, "array.parquet").values[0]
        if isinstance(values, np.ndarray):
            return pd.array(values, dtype=values.dtype)
        return values

    def extract_metadata(self, data: pd.api.extensions.ExtensionArray) -> dict[str, Any]:
        """Return length and dtype."""
        return {"length": len(data), "dtype": DType(data.dtype)}


class ScalarMaterializer(JsonMaterializer):
    """Saves a Timestamp, Timedelta, Period, Interval, NaT or NA as JSON."""

    SKIP_REGISTRATION = True

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return what the value looks like."""
        return {"string_representation": str(data)}


def _label(name: Any) -> pd.Index[Any]:
    """Return an index of one label, whatever the label is."""
    labels = np.empty(1, dtype=object)
    labels[0] = name
    return pd.Index(labels, dtype=object, tupleize_cols=False)


def _with_facts(data: Any, facts: dict[str, Any]) -> Any:
    if facts["attrs"]:
        data.attrs = facts["attrs"]
    if not facts["allows_duplicate_labels"]:
        data = data.set_flags(allows_duplicate_labels=False)
    return data


def _show(materializer: BaseMaterializer, frame: Any, title: str) -> dict[str, VisualizationType]:
    shown = _displayable(frame.iloc[:, :_SHOWN_COLUMNS])
    parts = [
        html_page.section(f"First {min(_SHOWN_ROWS, len(frame))} rows", shown.head(_SHOWN_ROWS).to_html(na_rep=""))
    ]
    summarized = shown.loc[:, [_has_summary(dtype) for dtype in shown.dtypes]].head(_DESCRIBED_ROWS)
    if summarized.size:
        of = "" if len(frame) <= _DESCRIBED_ROWS else f" of the first {_DESCRIBED_ROWS:,} rows"
        with np.errstate(all="ignore"):  # infinities have no quantiles
            parts.append(html_page.section(f"Summary{of}", summarized.describe(include="all").to_html(na_rep="")))
    dtypes = [(str(name), dtype) for name, dtype in zip(shown.columns, frame.dtypes, strict=False)]
    parts.append(html_page.section("Columns", html_page.table(dtypes)))
    return html_page.write_page(materializer, "table.html", title, *parts)


def _displayable(frame: Any) -> Any:
    """Return a frame with the same content that pandas can print and sum up."""
    frame = frame.copy(deep=False)
    frame.columns = [str(name) for name in frame.columns]
    for position, dtype in enumerate(frame.dtypes):
        if dtype == np.float16:  # overflows when it is printed
            frame.isetitem(position, frame.iloc[:, position].astype(np.float32))
        elif isinstance(dtype, np.dtype) and not dtype.isnative:
            frame.isetitem(position, frame.iloc[:, position].astype(dtype.newbyteorder("=")))
    return frame


def _has_summary(dtype: Any) -> bool:
    """Return whether values of a dtype can be summed up: not objects, which may be anything, nor complex numbers."""
    if isinstance(dtype, pd.SparseDtype):
        return False
    return getattr(dtype, "kind", "O") in "biufMm" or isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)
