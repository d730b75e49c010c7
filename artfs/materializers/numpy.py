"""NumPy: arrays, masked arrays and scalars as `.npy` files, never as pickles.

`array.npy` holds every dtype of fixed size, in the array's own memory order. Where the `.npy` format cannot say all of
a dtype (fields that overlap or are out of order, alignment), `array.json` says the rest; a dtype with metadata, as h5py
makes them, is kept whole in `array_dtype/`. Arrays of Python objects become a list of elements in `array_objects/`,
each saved as what it is; variable-width strings become JSON.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from pathlib import Path
from typing import Any, Literal

from artfs.classes import recorded_name
from artfs.content.files import LARGE_FILE, start_writing
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import Opaque, load_nested, save_nested
from artfs.materializers.registry import registry
from artfs.types import DType

with needs("numpy", extra="numpy"):
    import numpy as np

#: Arrays of at least this many bytes are mapped into memory instead of being read.
MAP_FROM_BYTES = 1 << 20

#: Statistics are extracted from arrays of up to this many elements: more would slow a save down.
STATISTICS_UP_TO = 1_000_000

_HEADER_LIMIT = 1 << 24  # numpy's own limit, 10,000 characters, is too small for dtypes of some hundred fields
_LONGEST_PICTURE_SIDE = 2048
_SHORTEST_PICTURE_SIDE = 256


class NumpyArrayMaterializer(BaseMaterializer):
    """Saves an array as `array.npy`; a large one is loaded as a memory map.

    The map is copy-on-write: changing the loaded array changes memory only, never the version.
    """

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

    def save(self, data: np.ndarray[Any, Any]) -> None:
        write_array(self, "array", data)

    def load(self, data_type: type[Any]) -> Any:
        array = read_array(self, "array")
        if issubclass(data_type, np.memmap) or isinstance(array, data_type):
            return array
        return array.view(data_type)

    def extract_metadata(self, data: np.ndarray[Any, Any]) -> dict[str, Any]:
        return {**describe_array(data), **_statistics(data)}

    def save_visualizations(self, data: np.ndarray[Any, Any]) -> dict[str, VisualizationType]:
        picture = _picture(data)
        if picture is not None:
            path = self.visualization_path("array.png")
            picture.save(path)
            return {os.fspath(path): VisualizationType.IMAGE}
        facts = html_page.table(self.extract_metadata(data).items())
        text = np.array2string(data, threshold=1000, edgeitems=10, max_line_width=120)
        return html_page.write_page(self, "array.html", "Array", facts, html_page.preformatted(text))


class NumpyScalarMaterializer(BaseMaterializer):
    """Saves a scalar as an array without dimensions, `scalar.npy`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

    def save(self, data: np.generic) -> None:
        write_array(self, "scalar", np.array(data))

    def load(self, data_type: type[Any]) -> Any:
        array = read_array(self, "scalar")
        if issubclass(data_type, np.record):
            array = array.view(np.dtype((np.record, array.dtype)))
        scalar = array[()]
        # Types that only differ in name, like longlong and int64, have the same dtype.
        return scalar if type(scalar) is data_type else data_type(scalar)

    def extract_metadata(self, data: np.generic) -> dict[str, Any]:
        value = data.item()
        readable = type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))
        return {"dtype": DType(data.dtype), **({"value": value} if readable else {})}


class NumpyMaskedArrayMaterializer(BaseMaterializer):
    """Saves a masked array as `data.npy` (masked values included), `mask.npy` and `fill_value.npy`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

    def save(self, data: np.ma.MaskedArray[Any, Any]) -> None:
        if data is np.ma.masked:
            return
        write_array(self, "data", data.data)
        if data.mask is not np.ma.nomask:
            write_array(self, "mask", np.asarray(data.mask))
        write_array(self, "fill_value", np.array(data.fill_value, dtype=data.dtype))
        Path(self.uri, "masked.json").write_text(json.dumps({"hard_mask": bool(data.hardmask)}), encoding="utf-8")

    def load(self, data_type: type[Any]) -> Any:
        if issubclass(data_type, type(np.ma.masked)):
            return np.ma.masked
        facts = json.loads(Path(self.uri, "masked.json").read_text(encoding="utf-8"))
        mask = read_array(self, "mask") if Path(self.uri, "mask.npy").exists() else np.ma.nomask
        array: Any = np.ma.MaskedArray(read_array(self, "data"), mask=mask, hard_mask=facts["hard_mask"])
        array.fill_value = read_array(self, "fill_value")[()]
        return array

    def extract_metadata(self, data: np.ma.MaskedArray[Any, Any]) -> dict[str, Any]:
        masked = {} if data.dtype.names else {"masked": int(np.ma.count_masked(data))}  # fields have a mask each
        return {**describe_array(data), **masked}


def write_array(materializer: BaseMaterializer, name: str, array: Any) -> None:
    """Save an array below the materializer's `uri`, as files that begin with `name`."""
    array = np.asarray(array)
    facts, writable = _split(materializer, name, array)
    if _has_metadata(array.dtype):
        save_nested(materializer, f"{name}_dtype", _describe_metadata(array.dtype))
        facts["metadata"] = True
    if writable is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the format's version, which all readers know; metadata
            with open(Path(materializer.uri, f"{name}.npy"), "wb") as file:
                np.lib.format.write_array(file, writable, allow_pickle=False)
                if writable.nbytes >= LARGE_FILE:
                    file.flush()
                    start_writing(file.fileno())
    if facts:
        Path(materializer.uri, f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")


def read_array(materializer: BaseMaterializer, name: str) -> np.ndarray[Any, Any]:
    """Load what `write_array` saved; from `MAP_FROM_BYTES` on as a memory map.

    Raises:
        UntrustedPickle: the array has Python objects in it that need unpickling, and the version is not trusted.
    """
    facts_path = Path(materializer.uri, f"{name}.json")
    facts = json.loads(facts_path.read_text(encoding="utf-8")) if facts_path.exists() else {}
    array = _array_from(materializer, name, facts)
    if "metadata" in facts:
        return _with_metadata(array, load_nested(materializer, f"{name}_dtype"))
    return array


def describe_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the metadata that every kind of array has."""
    return {"shape": array.shape, "dtype": DType(array.dtype), "elements": array.size, "memory_size": array.nbytes}


def _array_from(materializer: BaseMaterializer, name: str, facts: dict[str, Any]) -> np.ndarray[Any, Any]:
    if "strings" in facts:
        return _strings_from(**facts["strings"])
    if "objects" in facts:
        return _objects_from(load_nested(materializer, f"{name}_objects"), **facts["objects"])
    if "pickled" in facts:
        return np.asarray(load_nested(materializer, f"{name}_objects").value)
    array = _read_npy(Path(materializer.uri, f"{name}.npy"))
    if "user_dtype" in facts:
        return array.view(np.dtype(registry.type_by_name(facts["user_dtype"], trusted=materializer.trusted)))
    if "dtype" in facts:
        array = array.view(_dtype_from(facts["dtype"]))
    return array.view(np.dtype((np.record, array.dtype))) if "record" in facts else array


def _split(materializer: BaseMaterializer, name: str, array: np.ndarray[Any, Any]) -> tuple[dict[str, Any], Any]:
    """Return what `.npy` cannot say about the array, and the array to write as `.npy` (None: there is none)."""
    dtype = array.dtype
    if dtype.kind == "T":
        return {"strings": _describe_strings(array)}, None
    if dtype.kind == "O":
        save_nested(materializer, f"{name}_objects", array.ravel(order=_order(array)).tolist())
        return {"objects": {"shape": array.shape, "order": _order(array)}}, None
    if dtype.hasobject:  # objects in the fields of records
        save_nested(materializer, f"{name}_objects", Opaque(array))
        return {"pickled": True}, None
    if dtype.type.__module__.partition(".")[0] != "numpy":  # such as bfloat16 of ml_dtypes
        return {"user_dtype": recorded_name(dtype.type)}, array.view(np.dtype((np.void, dtype.itemsize)))
    if dtype.fields is None:
        return {}, array
    facts: dict[str, Any] = {"record": True} if dtype.type is np.record else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the format has no place for metadata; we have
            restored = np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(dtype))
    except ValueError:  # fields that overlap or are out of order
        return {**facts, "dtype": _describe_dtype(dtype)}, array.view(np.dtype((np.void, dtype.itemsize)))
    if restored.isalignedstruct != dtype.isalignedstruct:
        facts["dtype"] = _describe_dtype(dtype)
    return facts, array


def _read_npy(path: Path) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any]
    if path.stat().st_size >= MAP_FROM_BYTES:
        array = np.lib.format.open_memmap(path, mode="c", max_header_size=_HEADER_LIMIT)
        return array
    with open(path, "rb") as file:
        array = np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER_LIMIT)
    return array


def _order(array: np.ndarray[Any, Any]) -> Literal["C", "F"]:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _objects_from(elements: list[Any], shape: list[int], order: Literal["C", "F"]) -> np.ndarray[Any, Any]:
    flat = np.empty(len(elements), dtype=object)
    for position, element in enumerate(elements):  # not `flat[:] = elements`, which unpacks elements that are lists
        flat[position] = element
    return flat.reshape(shape, order=order)


# --- dtypes that .npy cannot say ---


def _has_metadata(dtype: np.dtype[Any]) -> bool:
    return bool(dtype.metadata) or any(map(_has_metadata, _parts(dtype)))


def _parts(dtype: np.dtype[Any]) -> list[np.dtype[Any]]:
    return [dtype.subdtype[0]] if dtype.subdtype else [field[0] for field in (dtype.fields or {}).values()]


def _describe_metadata(dtype: np.dtype[Any]) -> Any:
    """Return the metadata of a dtype; metadata of its fields is rare enough to pickle the dtype."""
    return Opaque(dtype) if any(map(_has_metadata, _parts(dtype))) else dict(dtype.metadata or {})


def _with_metadata(array: np.ndarray[Any, Any], described: Any) -> np.ndarray[Any, Any]:
    """Return the array with its own dtype, which is equal to the one it has but for the metadata."""
    dtype = np.dtype(array.dtype, metadata=described) if isinstance(described, dict) else described.value
    if not dtype.hasobject:
        return array.view(dtype)
    typed = np.empty_like(array, dtype=dtype)
    typed[...] = array
    return typed


def _describe_dtype(dtype: np.dtype[Any]) -> Any:
    """Return a dtype as JSON: its text, or the layout of its fields."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": _describe_dtype(base), "shape": shape}
    if dtype.fields is None or dtype.names is None:
        return dtype.str
    fields = [dtype.fields[name] for name in dtype.names]
    return {
        "names": dtype.names,
        "formats": [_describe_dtype(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": [field[2] if len(field) > 2 else None for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def _dtype_from(described: Any) -> np.dtype[Any]:
    if isinstance(described, str):
        return np.dtype(described)
    if "base" in described:
        return np.dtype((_dtype_from(described["base"]), tuple(described["shape"])))
    layout: Any = {key: described[key] for key in ("names", "offsets", "titles", "itemsize")}
    layout["formats"] = [_dtype_from(field) for field in described["formats"]]
    dtype: np.dtype[Any] = np.dtype(layout, align=described["aligned"])
    return dtype


# --- strings of variable width (numpy.dtypes.StringDType) ---


def _describe_strings(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    dtype: Any = array.dtype
    missing = "none"
    if hasattr(dtype, "na_object"):
        if dtype.na_object is not None and not (isinstance(dtype.na_object, float) and math.isnan(dtype.na_object)):
            raise MaterializerError(
                f"a string array with {dtype.na_object!r} for missing values cannot be saved: use None or nan for them"
            )
        missing = "None" if dtype.na_object is None else "nan"
    values = [value if isinstance(value, str) else None for value in array.ravel(order=_order(array)).tolist()]
    return {"shape": array.shape, "order": _order(array), "coerce": dtype.coerce, "missing": missing, "values": values}


def _strings_from(
    shape: list[int], order: Literal["C", "F"], coerce: bool, missing: str, values: list[str | None]
) -> np.ndarray[Any, Any]:
    arguments: Any = {"none": {}, "None": {"na_object": None}, "nan": {"na_object": math.nan}}[missing]
    dtype = np.dtypes.StringDType(coerce=coerce, **arguments)
    elements = [arguments["na_object"] if value is None else value for value in values]
    return np.array(elements, dtype=dtype).reshape(shape, order=order)


# --- facts and pictures ---


def _statistics(array: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return minimum, maximum, mean and standard deviation of real numbers; NaN and infinities are left out."""
    if array.dtype.kind not in "biuf" or not 0 < array.size <= STATISTICS_UP_TO:
        return {}
    values = array.astype(np.float64, copy=False)
    finite = values[np.isfinite(values)] if array.dtype.kind == "f" else values
    if not finite.size:
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        facts = {"min": finite.min(), "max": finite.max(), "mean": finite.mean(), "std": finite.std()}
    return {name: float(value) for name, value in facts.items() if math.isfinite(value)}


def _picture(array: np.ndarray[Any, Any]) -> Any:
    """Return a Pillow image of a small matrix or of pixels, or None where a picture tells nothing."""
    is_pixels = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4)))
    is_matrix = array.ndim == 2 and array.dtype.kind in "biuf"
    if not (is_pixels or is_matrix) or min(array.shape) < 2 or max(array.shape) > _LONGEST_PICTURE_SIDE:
        return None
    try:
        from PIL import Image
    except ImportError:
        return None
    pixels = np.ascontiguousarray(array) if is_pixels else _shades(array)
    enlarge = max(1, _SHORTEST_PICTURE_SIDE // max(array.shape[:2]))
    image = Image.fromarray(pixels)
    return image.resize((image.width * enlarge, image.height * enlarge), Image.Resampling.NEAREST)


def _shades(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a matrix of numbers as grey levels, from its least value (black) to its greatest (white)."""
    values = matrix.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(matrix.shape, dtype=np.uint8)
    low, high = values[finite].min(), values[finite].max()
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - low) / (high - low if high > low else 1.0) * 255
    return np.where(finite, np.nan_to_num(scaled), 0).clip(0, 255).astype(np.uint8)
