"""A pandas object as one Parquet file that any reader understands, and that comes back exactly.

The table has a column for each column of the frame, and one for each level of its index unless that is a plain
range. Names are made into unique texts. The key `artfs` of the file's metadata holds the spec: what each column and
label really was. Where the spec has parts that JSON cannot hold (large categories, objects), it stands in the
directory `schema/` beside the file instead. The key `pandas` tells other readers which columns are the index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from artfs.errors import MaterializerError
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.json.decode import decode as decode_json
from artfs.materializers.json.encode import encode as encode_json
from artfs.materializers.libraries import needs
from artfs.materializers.nested import load_nested, save_nested
from artfs.materializers.pandas.objects import EncodedObjects, Spec
from artfs.materializers.pandas.values import (
    decode,
    decode_codes,
    encode,
    encode_category,
    labels_from,
    labels_spec,
)

with needs("pandas and pyarrow", extra="pandas"):
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

_SCHEMA_DIRECTORY = "schema"
_METADATA_KEY = b"artfs"
_LONGEST_METADATA = 1 << 20  # a longer spec would slow down everyone who only opens the file


class FrameColumns(NamedTuple):
    """The parts of a frame.

    Args:
        values: one numpy or pandas extension array a column.
        labels: the index of the columns' names.
        index: of the rows.
        facts: what else there is to keep.
    """

    values: list[Any]
    labels: Any
    index: Any
    facts: dict[str, Any]


def write_table(materializer: BaseMaterializer, file_name: str, columns: FrameColumns) -> None:
    """Save `columns` as a Parquet file below the materializer's `uri`."""
    names = _unique_names(columns.labels, columns.index)
    encoded = [encode(values) for values in columns.values]
    index_spec, levels = _encode_rows(columns.index)
    level_names = [_level_name(columns.index, position, names) for position in range(len(levels))]
    spec: Spec = {
        "format": 1,
        "rows": len(columns.index),
        "labels": labels_spec(columns.labels),
        "index": index_spec,
        "columns": [column.spec for column in encoded],
        "facts": columns.facts,
    }
    fields = dict(zip([*names, *level_names], [*encoded, *levels], strict=True))
    arrays = {name: column.array for name, column in fields.items() if column.array is not None}
    metadata = {
        b"pandas": json.dumps(_pandas_metadata(columns, names, level_names, spec["columns"])).encode(),
        _METADATA_KEY: _spec_text(materializer, spec),
    }
    table = pa.table(arrays).replace_schema_metadata(metadata)
    # Not for floats: their dictionaries rarely pay, and cost time.
    texts = [name for name, array in arrays.items() if not pa.types.is_floating(array.type)]
    pq.write_table(
        table, Path(materializer.uri, file_name), compression="zstd", compression_level=1, use_dictionary=texts
    )


def read_table(materializer: BaseMaterializer, file_name: str) -> FrameColumns:
    """Load what `write_table` saved.

    Raises:
        MaterializerError: the file was not written by `write_table`.
        UntrustedPickle: objects in it need unpickling, and the version is not trusted.
    """
    table = pq.read_table(Path(materializer.uri, file_name), memory_map=True)
    spec = _read_spec(materializer, file_name, (table.schema.metadata or {}).get(_METADATA_KEY))
    trusted = materializer.trusted
    position = 0

    def next_values(column_spec: Mapping[str, Any]) -> Any:
        nonlocal position
        if _is_beside(column_spec):
            return decode(column_spec, None, trusted)
        position += 1
        return decode(column_spec, table.column(position - 1), trusted)

    values = [next_values(column_spec) for column_spec in spec["columns"]]
    index_spec = spec["index"]
    if index_spec["as"] == "levels":
        levels = [decode_codes(level, table.column(position + at)) for at, level in enumerate(index_spec["levels"])]
        index = pd.MultiIndex(
            levels=[level for _, level in levels],
            codes=[codes for codes, _ in levels],
            names=index_spec["names"],
            sortorder=index_spec["sortorder"],
            verify_integrity=False,
        )
    elif index_spec["as"] == "values":
        index = _index_from(next_values(index_spec["values"]), index_spec)
    else:
        index = labels_from(index_spec)
    return FrameColumns(values, labels_from(spec["labels"]), index, spec["facts"])


def _spec_text(materializer: BaseMaterializer, spec: Spec) -> bytes:
    """Return the spec as JSON, or save it beside the table and return JSON that says so."""
    encoded = encode_json(spec)
    if encoded.items or encoded.pickled or len(encoded.text) > _LONGEST_METADATA:
        save_nested(materializer, _SCHEMA_DIRECTORY, spec)
        return json.dumps({"format": 1, "beside": _SCHEMA_DIRECTORY}).encode()
    return encoded.text


def _read_spec(materializer: BaseMaterializer, file_name: str, text: bytes | None) -> Any:
    if text is None:
        raise MaterializerError(
            f"{file_name} was not written by artfs: read it with pandas.read_parquet", subject=file_name
        )

    def nothing_beside(_: object) -> Any:
        raise MaterializerError(f"the metadata of {file_name} are damaged", subject=file_name)

    spec = decode_json(text, nothing_beside, nothing_beside, trusted=materializer.trusted)
    return load_nested(materializer, _SCHEMA_DIRECTORY) if "beside" in spec else spec


def _is_beside(column_spec: Mapping[str, Any]) -> bool:
    """Return whether the values stand in the spec, and not in a column of the table."""
    return "values" in column_spec


# --- the index ---


def _encode_rows(index: Any) -> tuple[Spec, list[EncodedObjects]]:
    """Return the spec of an index, and the columns that it needs in the table."""
    if type(index) is pd.RangeIndex:
        return labels_spec(index), []
    if isinstance(index, pd.MultiIndex):
        levels = [
            encode_category(codes, level, ordered=None) for codes, level in zip(index.codes, index.levels, strict=True)
        ]
        return {
            "as": "levels",
            "levels": [level.spec for level in levels],
            "names": list(index.names),
            "sortorder": index.sortorder,
        }, levels
    encoded = encode(index.array)
    spec: Spec = {"as": "values", "values": encoded.spec, "name": index.name}
    offset = getattr(index, "freq", None)
    if offset is not None and not isinstance(index, pd.PeriodIndex):
        spec["freq"] = index.freqstr if pd.tseries.frequencies.to_offset(index.freqstr) == offset else offset
    return spec, [encoded]


def _index_from(values: Any, spec: Mapping[str, Any]) -> Any:
    index = pd.Index(values, dtype=values.dtype, name=spec["name"], tupleize_cols=False)
    if "freq" in spec:
        index.freq = spec["freq"]
    return index


# --- for other readers ---


def _unique_names(labels: Any, index: Any) -> list[str]:
    """Return a text for each column, different from each other and from those of the index's levels."""
    taken = {f"__index_level_{position}__" for position in range(index.nlevels)}
    names = []
    for label in labels:
        readable = label if isinstance(label, str) else str(label)
        name, count = _utf8(readable), 1
        while name in taken:
            name, count = f"{_utf8(readable)}.{count}", count + 1
        taken.add(name)
        names.append(name)
    return names


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _level_name(index: Any, position: int, taken: list[str]) -> str:
    name = index.names[position]
    usable = isinstance(name, str) and name not in taken and list(index.names).count(name) == 1
    return _utf8(name) if usable else f"__index_level_{position}__"


def _pandas_metadata(
    columns: FrameColumns, names: list[str], level_names: list[str], specs: list[Spec]
) -> dict[str, Any]:
    """Return what pandas.read_parquet needs to find the index, the kind of labels, and its own kinds of columns."""
    index, labels = columns.index, columns.labels
    descriptors: list[Any] = list(level_names)
    if type(index) is pd.RangeIndex:
        steps = {"start": index.start, "stop": index.stop, "step": index.step}
        descriptors = [{"kind": "range", "name": _text_or_none(index.name), **steps}]
    known = [
        _field(name, name, spec["dtype"])
        for name, spec in zip(names, specs, strict=True)
        if spec["as"] in ("extension", "interval")
    ]
    levels = [
        _field(_text_or_none(name), field, "object") for name, field in zip(index.names, level_names, strict=False)
    ]
    kind = "int64" if labels.dtype == np.int64 and labels.is_unique else "object"
    return {
        "index_columns": descriptors,
        "column_indexes": [_field(_text_or_none(labels.name), None, kind)],
        "columns": [*known, *levels],
        "creator": {"library": "artfs", "version": "1"},
        "pandas_version": pd.__version__,
    }


def _field(name: str | None, field: str | None, dtype: str) -> dict[str, Any]:
    kind = "unicode" if dtype == "object" else dtype
    return {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": dtype, "metadata": None}


def _text_or_none(name: Any) -> str | None:
    return name if isinstance(name, str) else None


def frame_from(columns: FrameColumns) -> Any:
    """Return the DataFrame that `columns` describe."""
    data = {position: series_from(values, columns.index) for position, values in enumerate(columns.values)}
    frame = pd.DataFrame(data, index=columns.index)
    frame.columns = columns.labels
    return frame


def series_from(values: Any, index: Any) -> Any:
    """Return a Series of exactly the type of `values`: objects are not looked at again."""
    return pd.Series(values, index=index, dtype=values.dtype if isinstance(values, np.ndarray) else None, copy=False)
