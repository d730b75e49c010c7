"""The values of an `object` column of pandas as an Arrow array, and back, every element with the type it had.

Arrow's own idea of a type is tried first: texts, numbers, dates, lists, dicts and arrays become what other programs
expect. A column that would come back different (tuples, a mix of types, Decimals of several scales) has a JSON text
in each cell; one with objects that JSON cannot say is handed to their own materializers, or pickled.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Any, NamedTuple

from artfs.errors import MaterializerError
from artfs.materializers.json.decode import decode as decode_json
from artfs.materializers.json.encode import encode as encode_json
from artfs.materializers.libraries import needs
from artfs.materializers.nested import Opaque

with needs("pandas and pyarrow", extra="pandas"):
    import numpy as np
    import pandas as pd
    import pyarrow as pa

Spec = dict[str, Any]

#: Objects with a materializer of their own (frames, models) get a directory each; a column of more is pickled whole.
_MOST_ITEMS = 100

logger = logging.getLogger(__name__)


class EncodedObjects(NamedTuple):
    """What to save of some values: how to get them back, and the array to put into the table (if any)."""

    spec: Spec
    array: Any


def encode_objects(values: np.ndarray[Any, Any]) -> EncodedObjects:
    """Return a one-dimensional array of objects in the first form that keeps it."""
    kinds = set(map(type, values))
    return (
        _uniform(values, kinds)
        or _arrays(values, kinds)
        or _inferred(values, kinds)
        or _json_cells(values)
        or _beside(values)
    )


def decode_objects(spec: Mapping[str, Any], column: Any, trusted: bool) -> np.ndarray[Any, Any]:
    """Return the objects.

    Args:
        spec: what `encode_objects` gave.
        column: the Arrow array that it gave, as read from the table; None if it gave none.
        trusted: whether this catalog saved the values itself.
    """
    form = spec["form"]
    if form == "beside":
        values = spec["values"]
        return object_array(values.value if isinstance(values, Opaque) else values)
    if form == "json":
        return object_array([_from_json(text, trusted) for text in column.to_pylist()])
    if form in ("arrays", "shaped arrays"):
        return _decode_arrays(spec, column)
    if form == "text":
        found: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False) if len(column) else np.empty(0, object)
        if spec["missing"] != "None":
            found = found.copy()
            found[column.is_null().to_numpy(zero_copy_only=False)] = pd.NA if spec["missing"] == "NA" else math.nan
        return found
    return object_array(column.to_pylist())


def object_array(elements: list[Any]) -> np.ndarray[Any, Any]:
    """Return an array of objects; elements that are lists or arrays stay one element each."""
    array = np.empty(len(elements), dtype=object)
    for position, element in enumerate(elements):
        array[position] = element
    return array


def _uniform(values: np.ndarray[Any, Any], kinds: set[type]) -> EncodedObjects | None:
    """Return texts, bytes, or numbers of one type, the common cases, without comparing each element."""
    try:
        if kinds and kinds <= {str, NoneType}:
            return _texts(values, "None", pa.large_string())
        if kinds and kinds <= {bytes, NoneType}:
            return _texts(values, "None", pa.large_binary())
        if kinds == {str, float} and all(value != value for value in values if type(value) is float):
            return _texts(values, "nan", pa.large_string())
        if kinds == {str, type(pd.NA)}:
            return _texts(values, "NA", pa.large_string())
        for kind, arrow_type in ((bool, pa.bool_()), (int, pa.int64()), (float, pa.float64())):
            if kinds - {NoneType} == {kind}:
                return EncodedObjects({"as": "objects", "form": "python"}, pa.array(values.tolist(), arrow_type))
    except (UnicodeEncodeError, OverflowError, pa.ArrowException):
        return None  # lone surrogates, very large integers: JSON can
    return None


def _texts(values: np.ndarray[Any, Any], missing: str, arrow_type: Any) -> EncodedObjects:
    array = pa.array(values, arrow_type, from_pandas=True)
    return EncodedObjects({"as": "objects", "form": "text", "missing": missing}, array)


def _arrays(values: np.ndarray[Any, Any], kinds: set[type]) -> EncodedObjects | None:
    """Return arrays of one dtype as lists of numbers: embeddings, signals; pictures with their shape beside."""
    if kinds - {NoneType} != {np.ndarray}:
        return None
    present = [value for value in values if value is not None]
    dtypes, shapes = {value.dtype for value in present}, {value.shape for value in present}
    dtype = dtypes.pop()
    if dtypes or dtype.kind not in "biuf" or dtype.itemsize > 8 or not dtype.isnative:
        return None
    missing = pa.array([value is None for value in values])
    numbers = pa.array(np.concatenate([value.ravel() for value in present]))
    array = _lists([0 if value is None else value.size for value in values], numbers, missing)
    spec = {"as": "objects", "form": "arrays", "dtype": dtype.str}
    if all(len(shape) == 1 for shape in shapes):
        return EncodedObjects({**spec, "shape": (-1,)}, array)
    if len(shapes) == 1:
        return EncodedObjects({**spec, "shape": shapes.pop()}, array)
    sizes = pa.array(np.concatenate([value.shape for value in present]).astype(np.int64))
    shape_array = _lists([0 if value is None else value.ndim for value in values], sizes, missing)
    shaped = pa.StructArray.from_arrays([shape_array, array], ["shape", "values"], mask=missing)
    return EncodedObjects({**spec, "form": "shaped arrays"}, shaped)


def _lists(lengths: list[int], elements: Any, missing: Any) -> Any:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, elements, mask=missing)


def _decode_arrays(spec: Mapping[str, Any], column: Any) -> np.ndarray[Any, Any]:
    dtype = np.dtype(spec["dtype"])

    def array_in(cell: Any) -> np.ndarray[Any, Any] | None:
        if not cell.is_valid:
            return None
        numbers, shape = (cell["values"], cell["shape"].as_py()) if "shape" not in spec else (cell, spec["shape"])
        array: np.ndarray[Any, Any] = numbers.values.to_numpy(zero_copy_only=False).astype(dtype).reshape(tuple(shape))
        return array

    return object_array([array_in(cell) for cell in column])


def _inferred(values: np.ndarray[Any, Any], kinds: set[type]) -> EncodedObjects | None:
    """Return the objects as the type that Arrow finds for them, if it brings back exactly the same."""
    if not kinds <= {NoneType, list, dict, date, datetime, time, Decimal}:
        return None
    elements = values.tolist()
    try:
        array = pa.array(elements, from_pandas=False)
        if not fits_parquet(array):
            return None
        returned = array.to_pylist()
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError):
        return None
    same = all(_same(before, after) for before, after in zip(elements, returned, strict=True))
    return EncodedObjects({"as": "objects", "form": "python"}, array) if same else None


def _json_cells(values: np.ndarray[Any, Any]) -> EncodedObjects | None:
    """Return a JSON text for each element, if nothing in them has to be saved beside it."""
    elements = values.tolist()
    try:
        encoded = encode_json(elements)
    except MaterializerError:
        return None
    if encoded.items or encoded.pickled:
        return None
    cells = [encode_json(element).text.decode().rstrip("\n") for element in elements]
    return EncodedObjects({"as": "objects", "form": "json"}, pa.array(cells, pa.large_string()))


def _beside(values: np.ndarray[Any, Any]) -> EncodedObjects:
    """Return a spec that holds the objects themselves."""
    elements: Any = values.tolist()
    encoded = encode_json(elements)
    pickled = {type(value).__qualname__ for value in encoded.pickled}
    if len(encoded.items) > _MOST_ITEMS:
        pickled.update(type(item.value).__qualname__ for item in encoded.items)
        elements = Opaque(elements)
    if pickled:
        logger.warning(
            "a column holds objects of type %s, which no open format can keep: they are pickled, and load only where"
            " this version is trusted",
            ", ".join(sorted(pickled)),
        )
    return EncodedObjects({"as": "objects", "form": "beside", "values": elements}, None)


def _from_json(text: str, trusted: bool) -> Any:
    def nothing_beside(_: object) -> Any:
        raise MaterializerError("a cell of this table refers to something outside of it: it was not saved by artfs")

    return decode_json(text.encode(), nothing_beside, nothing_beside, trusted=trusted)


def _same(before: Any, after: Any) -> bool:
    """Return whether two values are equal and of the same types through and through."""
    if type(before) is not type(after):
        return False
    if type(before) is list:
        return len(before) == len(after) and all(map(_same, before, after))
    if type(before) is dict:
        return list(before) == list(after) and all(_same(value, after[key]) for key, value in before.items())
    if type(before) is float:
        return before == after or (before != before and after != after)
    if type(before) in (Decimal, datetime, time):
        return repr(before) == repr(after)
    return bool(before == after)


def fits_parquet(array: Any) -> bool:
    """Return whether Parquet brings an array of this type back: some it cannot write, and some it reads as another."""
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    try:
        pq.write_table(pa.table({"x": array.slice(0, 0)}), sink)
        pq.read_table(pa.BufferReader(sink.getvalue())).column(0).cast(array.type)
    except (pa.ArrowException, NotImplementedError):
        return False
    return not any(_changes_in_parquet(found) for found in _types_within(array.type))


def _changes_in_parquet(found: Any) -> bool:
    kinds = pa.types
    seconds = (kinds.is_timestamp(found) or kinds.is_time32(found)) and found.unit == "s"
    text_dictionary = kinds.is_dictionary(found) and (
        kinds.is_string(found.value_type) or kinds.is_large_string(found.value_type)
    )
    return seconds or (kinds.is_dictionary(found) and not text_dictionary)


def _types_within(arrow_type: Any) -> list[Any]:
    children = [arrow_type.field(position).type for position in range(arrow_type.num_fields)]
    return [arrow_type, *(found for child in children for found in _types_within(child))]
