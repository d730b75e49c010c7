"""The values of one pandas column as an Arrow array, and back, exactly.

`encode` returns an array that any reader of Parquet understands, and a `spec` that says what pandas object it stood
for: Arrow has no word for an `object` column, the unit "s" is lost in Parquet, categories are kept for texts only.
A spec is a dict of Python values for artfs.materializers.json_form. What no Arrow array can hold stands in the spec
itself (the array is then None), so that its elements are saved as JSON, by their own materializers, or pickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from artfs.materializers.json.pandas_scalars import zone_from_form, zone_to_form
from artfs.materializers.libraries import needs
from artfs.materializers.nested import Opaque
from artfs.materializers.pandas.objects import (
    EncodedObjects,
    Spec,
    decode_objects,
    encode_objects,
    fits_parquet,
    object_array,
)

with needs("pandas and pyarrow", extra="pandas"):
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

#: An index of up to this many plain labels is written into the spec itself.
_LONGEST_INLINE_INDEX = 1000
_SECONDS_LIMIT = 2**63 // 1000  # beyond it, seconds do not fit the milliseconds that Parquet stores


def encode(values: Any) -> EncodedObjects:
    """Return values in Arrow form.

    Args:
        values: a one-dimensional numpy array or pandas extension array.
    """
    if type(values) is pd.arrays.NumpyExtensionArray or (  # which StringArray is a subclass of
        isinstance(values, pd.arrays.DatetimeArray | pd.arrays.TimedeltaArray) and isinstance(values.dtype, np.dtype)
    ):
        values = values.to_numpy()
    if isinstance(values, np.ndarray):
        return encode_objects(values) if values.dtype == object else _encode_numbers(values)
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return encode_category(values.codes, dtype.categories, ordered=bool(dtype.ordered))
    if isinstance(dtype, pd.SparseDtype):
        dense = encode(np.asarray(values))
        spec = {"as": "sparse", "dense": dense.spec, "fill_value": dtype.fill_value, "kind": values.kind}
        return EncodedObjects(spec, dense.array)
    if isinstance(dtype, pd.DatetimeTZDtype):
        moments = pa.array(values.asi8, pa.int64(), mask=np.asarray(values.isna()))
        zone = pa.timestamp(dtype.unit, tz=_zone_name(dtype.tz))
        return _checked_seconds(
            values.asi8, {"as": "zoned", "unit": dtype.unit, "zone": zone_to_form(dtype.tz)}, moments, zone
        )
    if isinstance(dtype, pd.IntervalDtype):
        bounds = [encode(bound.array) for bound in (values.left, values.right)]
        array = pa.StructArray.from_arrays([bound.array for bound in bounds], ["left", "right"])
        spec = {"as": "interval", "dtype": str(dtype), "closed": dtype.closed, "bounds": bounds[0].spec}
        return EncodedObjects(spec, array)
    if isinstance(dtype, pd.ArrowDtype):
        return _encode_arrow(values)
    if isinstance(dtype, pd.StringDtype):
        return _encode_strings(values)
    return _encode_extension(values)


def decode(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    """Return the values: a numpy array or pandas extension array.

    Args:
        spec: what `encode` gave.
        column: the array that it gave, as read from the table (an Arrow array, chunked or not); None if it gave none.
        trusted: whether this catalog saved the values itself.
    """
    return _DECODERS[spec["as"]](spec, column, trusted)


# --- numbers and times ---


def _encode_numbers(values: np.ndarray[Any, Any]) -> EncodedObjects:
    dtype = values.dtype
    spec: Spec = {"as": "numpy", "dtype": dtype.str}
    native = np.ascontiguousarray(values.astype(dtype.newbyteorder("="), copy=False))
    if dtype.kind == "c" and dtype.itemsize <= 16:
        parts = native.view(np.dtype(f"f{dtype.itemsize // 2}"))
        array = pa.StructArray.from_arrays(
            [pa.array(parts[0::2].copy()), pa.array(parts[1::2].copy())], ["real", "imag"]
        )
        return EncodedObjects({**spec, "as": "complex"}, array)
    if dtype.kind == "M":
        unit = np.datetime_data(dtype)[0]
        moments = pa.array(native.view(np.int64), pa.int64(), mask=np.isnat(native))
        return _checked_seconds(native.view(np.int64), {**spec, "as": "datetime"}, moments, pa.timestamp(unit))
    if dtype.kind == "m":
        return EncodedObjects({**spec, "as": "datetime"}, pa.array(native))
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return EncodedObjects(spec, pa.array(native))
    # long doubles: their bytes, since no format has them
    width = dtype.itemsize
    array = pa.Array.from_buffers(pa.binary(width), len(native), [None, pa.py_buffer(native.view(np.uint8))])
    return EncodedObjects({**spec, "as": "bytes"}, array)


def _checked_seconds(integers: np.ndarray[Any, Any], spec: Spec, moments: Any, stored: Any) -> EncodedObjects:
    """Return moments as timestamps, or as the integers they are where Parquet could not hold the timestamps."""
    if stored.unit == "s":
        valid = integers[integers != np.iinfo(np.int64).min]
        if valid.size and (valid.max() >= _SECONDS_LIMIT or valid.min() <= -_SECONDS_LIMIT):
            return EncodedObjects(spec, moments)
    return EncodedObjects(spec, moments.cast(stored))


def _decode_numbers(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    return _to_numpy(column).astype(np.dtype(spec["dtype"]), copy=False)


def _decode_complex(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    column = _one_chunk(column)
    values = np.empty(len(column), dtype=np.dtype(spec["dtype"]))
    values.real, values.imag = (column.field(part).to_numpy() for part in range(2))
    return values


def _decode_datetime(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    dtype = np.dtype(spec["dtype"])
    unit = np.datetime_data(dtype)[0]
    return _integers(column, pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit)).view(
        dtype.newbyteorder("=")
    )


def _decode_zoned(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    unit = spec["unit"]
    moments = _integers(column, pa.timestamp(unit, tz="UTC")).view(f"M8[{unit}]")
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone_from_form(spec["zone"])).array


def _decode_bytes(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    dtype = np.dtype(spec["dtype"])
    column = _one_chunk(column)
    start = column.offset * dtype.itemsize
    return np.frombuffer(column.buffers()[1], np.uint8)[start : start + len(column) * dtype.itemsize].view(dtype)


def _integers(column: Any, time_type: Any) -> np.ndarray[Any, Any]:
    """Return times as integers in their own unit, NaT as numpy's NaT."""
    if not pa.types.is_integer(column.type):
        column = column.cast(time_type).cast(pa.int64())
    return _to_numpy(pc.fill_null(column, np.iinfo(np.int64).min))


def _zone_name(zone: Any) -> str:
    """Return the name of a time zone as Arrow wants it; the spec keeps the zone itself."""
    try:
        return str(pa.lib.tzinfo_to_string(zone))
    except ValueError:
        return "UTC"


# --- pandas' own kinds of arrays ---


def encode_category(codes: Any, categories: Any, *, ordered: bool | None) -> EncodedObjects:
    """Return a categorical, or a level of a MultiIndex.

    Args:
        codes: positions in `categories`; -1 for missing values.
        categories: an index.
        ordered: of a categorical; None for a level.
    """
    codes = np.asarray(codes)
    spec: Spec = {"as": "category", "ordered": ordered, "categories": labels_spec(categories)}
    indices = pa.array(codes, mask=codes < 0)
    dictionary = _searchable(categories)
    if dictionary is None:
        return EncodedObjects({**spec, "stored": "codes"}, indices)
    array = pa.DictionaryArray.from_arrays(indices, dictionary)
    if ordered is None or not _is_text(dictionary.type):  # Parquet has dictionaries for texts only
        array = array.dictionary_decode()
    return EncodedObjects({**spec, "stored": "values"}, array)


def decode_codes(spec: Mapping[str, Any], column: Any) -> tuple[np.ndarray[Any, Any], Any]:
    """Return the codes and the categories that `encode_category` got."""
    categories = labels_from(spec["categories"])
    if spec["stored"] == "codes":
        return _to_numpy(pc.fill_null(column, -1)), categories
    dictionary = _searchable(categories)
    if pa.types.is_dictionary(column.type):
        column = _one_chunk(column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column)
        found = pc.index_in(column.dictionary.cast(dictionary.type), value_set=dictionary)
        indices = found.take(column.indices)
    else:
        indices = pc.index_in(column.cast(dictionary.type), value_set=dictionary)
    return _to_numpy(pc.fill_null(indices, -1)), categories


def _decode_category(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    codes, categories = decode_codes(spec, column)
    return pd.Categorical.from_codes(codes, categories=categories, ordered=spec["ordered"])


def _searchable(categories: Any) -> Any:
    """Return categories as an Arrow array in which a value is found by being equal, or None."""
    array = encode(categories.array).array
    if array is None or isinstance(array, pa.ChunkedArray) or array.null_count:
        return None
    kinds = pa.types
    simple = kinds.is_integer(array.type) or kinds.is_boolean(array.type) or kinds.is_timestamp(array.type)
    return array if simple or _is_text(array.type) else None


def _is_text(arrow_type: Any) -> bool:
    return pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type)


def _decode_interval(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    left, right = (decode(spec["bounds"], _one_chunk(column).field(part), trusted) for part in range(2))
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=spec["closed"])


def _decode_sparse(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    return pd.arrays.SparseArray(
        decode(spec["dense"], column, trusted), fill_value=spec["fill_value"], kind=spec["kind"]
    )


def _encode_arrow(values: Any) -> EncodedObjects:
    array = values.__arrow_array__()
    field_type = pa.schema([pa.field("", array.type)]).serialize().to_pybytes()
    if fits_parquet(array):
        return EncodedObjects({"as": "arrow", "type": field_type}, array)
    return EncodedObjects(
        {"as": "arrow", "values": pa.chunked_array([array]) if isinstance(array, pa.Array) else array}, None
    )


def _decode_arrow(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    if column is None:
        column = spec["values"]
    else:
        column = column.cast(pa.ipc.read_schema(pa.py_buffer(spec["type"])).field(0).type)
    return pd.arrays.ArrowExtensionArray(column)


def _encode_strings(values: Any) -> EncodedObjects:
    dtype = values.dtype
    spec = {"as": "string", "storage": dtype.storage, "missing": "NA" if dtype.na_value is pd.NA else "nan"}
    try:
        array = pa.array(values, type=pa.large_string(), from_pandas=True)
    except UnicodeEncodeError:  # lone surrogates, which only JSON can keep, escaped
        return EncodedObjects(
            {**spec, "values": [None if value is dtype.na_value else value for value in values]}, None
        )
    return EncodedObjects(spec, array)


def _decode_strings(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    dtype = pd.StringDtype(spec["storage"], na_value=pd.NA if spec["missing"] == "NA" else math.nan)
    if column is None:
        return pd.array(spec["values"], dtype=dtype)
    return dtype.__from_arrow__(column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column]))


def _encode_extension(values: Any) -> EncodedObjects:
    """Return nullable numbers, periods, and arrays of other packages that know Arrow."""
    dtype = values.dtype
    try:
        named = pd.api.types.pandas_dtype(str(dtype)) == dtype
        array = pa.array(values) if named and hasattr(dtype, "__from_arrow__") else None
    except (TypeError, pa.ArrowException, NotImplementedError):
        array = None
    if isinstance(array, pa.ExtensionArray) and array.type.extension_name.startswith("pandas."):
        array = array.storage
    if array is None or not fits_parquet(array):
        return EncodedObjects({"as": "pickled", "values": Opaque(values)}, None)
    return EncodedObjects({"as": "extension", "dtype": str(dtype)}, array)


def _decode_extension(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    return pd.api.types.pandas_dtype(spec["dtype"]).__from_arrow__(column)


# --- labels: small indexes, of columns and categories ---


def labels_spec(index: Any) -> Spec:
    """Return an index as a spec: its labels where they are few and plain, else the index itself."""
    if type(index) is pd.RangeIndex:
        return {"as": "range", "range": range(index.start, index.stop, index.step), "name": index.name}
    if type(index) is pd.Index and len(index) <= _LONGEST_INLINE_INDEX:
        dtype = index.dtype
        if isinstance(dtype, pd.StringDtype):
            missing = "NA" if dtype.na_value is pd.NA else "nan"
            labels = [label if isinstance(label, str) else None for label in index]
            kind: Any = {"storage": dtype.storage, "missing": missing}
            return {"as": "labels", "dtype": kind, "labels": labels, "name": index.name}
        if str(dtype) in ("object", "int64", "float64", "bool"):
            return {"as": "labels", "dtype": str(dtype), "labels": index.tolist(), "name": index.name}
    return {"as": "index", "index": index}


def labels_from(spec: Mapping[str, Any]) -> Any:
    """Return the index that `labels_spec` got."""
    if spec["as"] == "range":
        return pd.RangeIndex(spec["range"], name=spec["name"])
    if spec["as"] == "index":
        return spec["index"]
    dtype = spec["dtype"]
    if isinstance(dtype, Mapping):
        return pd.Index(_decode_strings({**dtype, "values": spec["labels"]}, None, False), name=spec["name"])
    if dtype != "object":
        return pd.Index(np.array(spec["labels"], dtype=dtype), name=spec["name"])
    return pd.Index(object_array(spec["labels"]), dtype=object, name=spec["name"], tupleize_cols=False)


# --- helpers ---


def _one_chunk(column: Any) -> Any:
    """Return an array; a column that was read in chunks is copied together."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.num_chunks
        else (pa.array([], column.type))
    )


def _to_numpy(column: Any) -> np.ndarray[Any, Any]:
    """Return an array of numbers without missing values."""
    array: np.ndarray[Any, Any] = _one_chunk(column).to_numpy(zero_copy_only=False)
    return array


def _decode_listed(spec: Mapping[str, Any], column: Any, trusted: bool) -> Any:
    return spec["values"].value


_DECODERS: Mapping[str, Callable[[Mapping[str, Any], Any, bool], Any]] = MappingProxyType(
    {
        "numpy": _decode_numbers,
        "complex": _decode_complex,
        "datetime": _decode_datetime,
        "zoned": _decode_zoned,
        "bytes": _decode_bytes,
        "category": _decode_category,
        "interval": _decode_interval,
        "sparse": _decode_sparse,
        "arrow": _decode_arrow,
        "string": _decode_strings,
        "extension": _decode_extension,
        "pickled": _decode_listed,
        "objects": decode_objects,
    }
)
