"""numpy values come back with every bit, dtype and memory order, from files that need no unpickling."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.extra.numpy as numpy_strategies
import numpy as np
import pytest
from hypothesis import strategies

from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers.numpy import MAP_FROM_BYTES, NumpyArrayMaterializer
from artfs.materializers.registry import materializer_for
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files


class Thing:
    """An object that only pickle can keep."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    __hash__ = None  # type: ignore[assignment]


def _matrix() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix([[1, 2], [3, 4]])


_RECORDS = [("a", "i4"), ("b", "f8", (2,)), ("c", "U3")]

ARRAYS: dict[str, Callable[[], Any]] = {
    "no dimensions": lambda: np.array(5),
    "no elements": lambda: np.zeros((0, 3)),
    "big endian": lambda: np.array([1.5, np.nan, -0.0], dtype=">f8"),
    "long double": lambda: np.array([1, 2], dtype=np.longdouble) / 3,
    "half": lambda: np.array([1, 65504], dtype=np.float16),
    "complex": lambda: np.array([1 + 2j, np.nan], dtype=np.complex64),
    "booleans": lambda: np.array([True, False]),
    "texts": lambda: np.array(["a", "日本", ""]),
    "bytes": lambda: np.array([b"a", b"bc"]),
    "no texts": lambda: np.zeros(0, "U0"),
    "raw": lambda: np.array([b"abc"], dtype="V3"),
    "days": lambda: np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
    "25 microseconds": lambda: np.array([1, 2], dtype="M8[25us]"),
    "durations": lambda: np.array([1, "NaT"], dtype="m8[ns]"),
    "records": lambda: np.array([(1, (2, 3), "x")], dtype=_RECORDS),
    "titled field": lambda: np.zeros(2, dtype=[(("title", "a"), "i4")]),
    "named in Japanese": lambda: np.zeros(2, dtype=[("日", "i4")]),
    "aligned fields": lambda: np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "fields out of order": lambda: np.arange(4, dtype="i4").view(
        np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]})
    ),
    "fields that overlap": lambda: np.arange(2, dtype="i4").view(
        np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 0]})
    ),
    "nested odd fields": lambda: np.zeros(
        2, dtype={"names": ["x"], "formats": [np.dtype([("a", "i1"), ("b", "f8")], align=True)], "offsets": [8]}
    ),
    "no fields": lambda: np.zeros(2, dtype=[]),
    "columns first": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other row, backwards": lambda: np.arange(12).reshape(4, 3)[::2, ::-1],
    "texts of any length": lambda: np.array([["a", "bé"], ["", "x" * 100]], dtype=np.dtypes.StringDType()),
    "texts and None": lambda: np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)),
    "texts and nan": lambda: np.array(["a", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan, coerce=False)),
    "objects": lambda: np.array([1, "a", None, (1, {"x": np.float32(2)}), [1.5]], dtype=object),
    "one object": lambda: np.array(None, dtype=object),
    "objects, columns first": lambda: np.array([[1, "b"], ["c", 2]], dtype=object, order="F"),
    "arrays in an array": lambda: np.array([np.arange(3), np.arange(2)], dtype=object),
    "matrix": _matrix,
    "record array": lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "records of a record array": lambda: np.asarray(np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])),
    "odd objects": lambda: np.array([Thing(), 1], dtype=object),
    "records with objects": lambda: np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
}
SCALARS: dict[str, Callable[[], Any]] = {
    "float64": lambda: np.float64(0.1),
    "float32 nan": lambda: np.float32("nan"),
    "bool": lambda: np.bool_(True),
    "int8": lambda: np.int8(-3),
    "longlong": lambda: np.longlong(3),
    "text": lambda: np.str_("x"),
    "bytes scalar": lambda: np.bytes_(b"q"),
    "day": lambda: np.datetime64("2020-02-29", "D"),
    "no time": lambda: np.datetime64("NaT"),
    "duration": lambda: np.timedelta64(3, "s"),
    "complex scalar": lambda: np.complex64(1 + 2j),
    "record": lambda: np.array([(1, (2, 3), "x")], dtype=_RECORDS)[0],
    "record of a record array": lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0],
}
MASKED: dict[str, Callable[[], Any]] = {
    "masked": lambda: np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=7),
    "masked, without a mask": lambda: np.ma.array([1.0, 2]),
    "masked hard": lambda: np.ma.array([[1, 2]], mask=True, hard_mask=True),
    "masked records": lambda: np.ma.array([("a", 1)], dtype=[("x", "U1"), ("y", "i4")], mask=[(True, False)]),
    "masked objects": lambda: np.ma.array([1, None], dtype=object, mask=[0, 1]),
    "the masked constant": lambda: np.ma.masked,
}
CASES = {**ARRAYS, **SCALARS, **MASKED}
NEED_TRUST = {"odd objects", "records with objects"}


def assert_same(one: Any, other: Any) -> None:
    assert type(other) is type(one)
    if one is np.ma.masked:
        assert other is np.ma.masked
        return
    assert other.dtype == one.dtype
    assert other.dtype.type is one.dtype.type
    assert other.dtype.isalignedstruct == one.dtype.isalignedstruct
    assert other.shape == one.shape
    if isinstance(one, np.ma.MaskedArray):
        assert repr(other) == repr(one)
        assert other.hardmask == one.hardmask
        assert (other.mask is np.ma.nomask) == (one.mask is np.ma.nomask)
        assert_same(one.data, other.data)
        return
    if one.dtype.hasobject:
        assert repr(other.tolist()) == repr(one.tolist()) or other.tolist() == one.tolist()
    elif one.dtype == np.longdouble:  # with padding of any content
        assert np.array_equal(one, other, equal_nan=True)
    else:
        assert other.tobytes() == one.tobytes()
    if one.ndim and (one.flags.c_contiguous or one.flags.f_contiguous):
        assert (other.flags.c_contiguous, other.flags.f_contiguous) == (one.flags.c_contiguous, one.flags.f_contiguous)


@pytest.mark.parametrize("name", CASES)
def test_a_value_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path, trusted=name in NEED_TRUST))


def test_values_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    # Without the class that only this module has.
    cases = {name: make for name, make in CASES.items() if name != "odd objects"}
    check_in_fresh_process(__file__, cases, NEED_TRUST, tmp_path)


_DTYPES = strategies.one_of(
    numpy_strategies.scalar_dtypes(),
    numpy_strategies.array_dtypes(numpy_strategies.scalar_dtypes()),
    numpy_strategies.nested_dtypes(),
)


@hypothesis.settings(max_examples=40)
@hypothesis.given(numpy_strategies.arrays(_DTYPES, numpy_strategies.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_arrays_of_any_dtype_come_back_without_pickling(array: np.ndarray[Any, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        assert_same(array, there_and_back(array, Path(directory)))
        assert not [name for name in files(Path(directory)) if name.endswith(".pkl")]


@pytest.mark.parametrize("name", sorted(set(CASES) - NEED_TRUST))
def test_only_odd_objects_are_pickled(name: str, tmp_path: Path) -> None:
    save_as_chosen(CASES[name](), tmp_path / "data")
    assert not [path for path in files(tmp_path) if "pickle" in path or path.endswith(".pkl")]


def test_a_plain_array_is_one_npy_file_that_numpy_reads(tmp_path: Path) -> None:
    array = np.arange(6).reshape(2, 3)
    save_as_chosen(array, tmp_path / "data")
    assert files(tmp_path / "data") == ["array.npy"]
    assert_same(array, np.load(tmp_path / "data" / "array.npy", allow_pickle=False))


@pytest.mark.parametrize("name", sorted(NEED_TRUST))
def test_pickled_elements_do_not_load_without_trust(name: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle):
        there_and_back(CASES[name](), tmp_path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_array_is_mapped_and_changing_it_changes_no_file(order: Any, tmp_path: Path) -> None:
    array = np.array(np.arange(MAP_FROM_BYTES // 8).reshape(-1, 128), order=order)
    loaded = there_and_back(array, tmp_path)
    file = tmp_path / "data" / "array.npy"
    before = file.read_bytes()
    assert isinstance(loaded, np.memmap)
    assert loaded.flags.f_contiguous == (order == "F")
    loaded[0, 0] = 77
    assert loaded[0, 0] == 77
    loaded.flush()
    assert file.read_bytes() == before
    file.unlink()
    assert np.array_equal(loaded[1:], array[1:])


def test_a_map_works_on_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    save_as_chosen(np.zeros(MAP_FROM_BYTES, "u1"), tmp_path / "data")
    (tmp_path / "data" / "array.npy").chmod(0o444)
    (tmp_path / "data").chmod(0o555)
    try:
        assert isinstance(NumpyArrayMaterializer(tmp_path / "data").load(np.ndarray), np.memmap)
    finally:
        (tmp_path / "data").chmod(0o755)


def test_a_saved_map_comes_back(tmp_path: Path) -> None:
    array = np.arange(MAP_FROM_BYTES // 8)
    np.save(tmp_path / "source.npy", array)
    mapped = np.load(tmp_path / "source.npy", mmap_mode="r")
    assert type(mapped) is np.memmap
    assert np.array_equal(there_and_back(mapped, tmp_path / "saved"), array)


def test_arrays_of_subclasses_that_hold_more_are_not_taken_for_arrays() -> None:
    class Quantity(np.ndarray):
        unit = "m"

    assert materializer_for(Quantity) is not NumpyArrayMaterializer


class Measured(np.ndarray):
    """As numpy's own pages write a subclass: with an attribute, and nothing said of pickling."""

    def __array_finalize__(self, made_from: Any) -> None:
        self.unit = getattr(made_from, "unit", None)


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: [it, {"a": it}], lambda it: Holding(it)])
def test_attributes_of_arrays_of_subclasses_are_kept(tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    array = np.arange(6).reshape(2, 3).view(Measured)
    array.unit, array.itself = {"m": 1}, array  # type: ignore[attr-defined]
    loaded = there_and_back(wrap(array), tmp_path, trusted=True)
    found = loaded if isinstance(loaded, np.ndarray) else loaded[0] if isinstance(loaded, list) else loaded.it
    assert (type(found), found.unit, found.tolist()) == (Measured, {"m": 1}, [[0, 1, 2], [3, 4, 5]])
    assert found.itself is found


def test_a_map_in_a_pickled_object_is_its_numbers(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "it.bin", dtype="f4", mode="w+", shape=(3,))
    assert there_and_back(Holding(mapped), tmp_path / "saved", trusted=True).it.tolist() == [0, 0, 0]


class Holding:
    """An object that only pickle can keep, with something in it."""

    def __init__(self, it: Any) -> None:
        self.it = it


def test_missing_texts_that_json_cannot_say_are_refused(tmp_path: Path) -> None:
    array = np.array(["a"], dtype=np.dtypes.StringDType(na_object="missing"))
    with pytest.raises(MaterializerError, match="use None or nan"):
        save_as_chosen(array, tmp_path / "data")


def test_metadata_of_an_array(tmp_path: Path) -> None:
    saver = save_as_chosen(np.array([[1.0, 3.0], [np.nan, np.inf]]), tmp_path / "data")
    facts = saver.extract_full_metadata(np.array([[1.0, 3.0], [np.nan, np.inf]]))
    assert facts == {
        "storage_size": (tmp_path / "data" / "array.npy").stat().st_size,
        "shape": (2, 2),
        "dtype": "float64",
        "elements": 4,
        "memory_size": 32,
        "min": 1.0,
        "max": 3.0,
        "mean": 2.0,
        "std": 1.0,
    }
    assert saver.ASSOCIATED_ARTIFACT_TYPE is ArtifactType.DATA


def test_a_small_matrix_is_shown_as_a_picture_and_a_vector_as_text(tmp_path: Path) -> None:
    from PIL import Image

    saver = save_as_chosen(np.eye(4), tmp_path / "data")
    saver.visualizations_dir = str(tmp_path / "shown")
    [(path, kind)] = saver.save_visualizations(np.eye(4)).items()
    assert kind is VisualizationType.IMAGE
    with Image.open(path) as picture:
        assert picture.size == (256, 256)
        assert [picture.getpixel((10, 10)), picture.getpixel((10, 250))] == [255, 0]
    [(path, kind)] = saver.save_visualizations(np.arange(3)).items()
    assert kind is VisualizationType.HTML
    assert "[0 1 2]" in Path(path).read_text()


_UNIT = {"unit": "m"}


@pytest.mark.parametrize(
    ("array", "trusted"),
    [
        pytest.param(np.zeros((2, 3), np.dtype("f8", metadata=_UNIT), order="F"), False, id="array"),
        pytest.param(np.zeros((), np.dtype("f8", metadata=_UNIT)), False, id="no dimensions"),
        pytest.param(np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], metadata=_UNIT)), False, id="records"),
        # as h5py has its texts
        pytest.param(np.array(["a", None], np.dtype("O", metadata={"vlen": str})), True, id="objects"),
        pytest.param(np.zeros(2, [("a", np.dtype("f8", metadata=_UNIT)), ("b", "i1")]), True, id="field"),
        pytest.param(np.zeros(2, [("a", np.dtype("O", metadata=_UNIT))]), True, id="field of objects"),
    ],
)
def test_metadata_of_a_dtype_is_kept(array: np.ndarray[Any, Any], trusted: bool, tmp_path: Path) -> None:
    loaded = there_and_back(array, tmp_path, trusted=trusted)
    assert loaded.dtype == array.dtype
    assert [dtype.metadata for dtype in _dtypes(loaded)] == [dtype.metadata for dtype in _dtypes(array)]
    assert (loaded.shape, loaded.tolist()) == (array.shape, array.tolist())


def _dtypes(array: np.ndarray[Any, Any]) -> list[np.dtype[Any]]:
    """The array's dtype, and those of its fields."""
    return [array.dtype, *(array.dtype[index] for index in range(len(array.dtype)))]
