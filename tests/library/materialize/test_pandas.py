"""pandas objects come back with dtypes, index, names, categories, time zones and every object, from Parquet."""

from __future__ import annotations

import datetime
import decimal
import tempfile
import uuid
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.extra.pandas as pandas_strategies
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies

from artfs.enums import VisualizationType
from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers.pandas import DataFrameMaterializer
from artfs.materializers.registry import materializer_for
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files, round_trip


class Thing:
    """An object that only pickle can keep."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    __hash__ = None  # type: ignore[assignment]


def _column(values: Any, dtype: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype)})


def _objects(*values: Any) -> pd.DataFrame:
    return _column(list(values), object)


def _with_attrs() -> pd.DataFrame:
    frame = _column([1])
    frame.attrs = {1: (1, 2), "day": datetime.date(2020, 1, 1), "array": np.arange(2)}
    return frame


def _named_columns() -> pd.DataFrame:
    frame = _column([1])
    frame.columns.name = "names"
    return frame


def _every_unit(kind: str) -> pd.DataFrame:
    times = {"M": "2020-01-01T00:00:01", "m": 5}[kind]
    units = ("s", "ms", "us", "ns")
    return pd.DataFrame({unit: pd.Series(np.array([times, "NaT"], dtype=f"{kind}8[{unit}]")) for unit in units})


def _zoned(zone: Any) -> pd.DataFrame:
    units = ("s", "ms", "us", "ns")
    moments = pd.Series(pd.to_datetime(["2020-10-25 00:30", "2020-10-25 01:30", None]))
    return pd.DataFrame({unit: moments.dt.as_unit(unit).dt.tz_localize("UTC").dt.tz_convert(zone) for unit in units})


def _arrow(values: Any, arrow_type: Any) -> pd.DataFrame:
    return _column(values, pd.ArrowDtype(arrow_type))


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NUMBERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "?")

COLUMNS: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pd.DataFrame({dtype: np.array([0, 1], dtype=dtype) for dtype in NUMBERS}),
    "no rows": lambda: pd.DataFrame({dtype: np.array([], dtype=dtype) for dtype in NUMBERS}),
    "odd floats": lambda: _column([np.nan, -0.0, np.inf, 1e-320]),
    "big endian": lambda: _column(np.array([1, 2], dtype=">i4")),
    "long double": lambda: _column(np.array([1, 2], dtype=np.longdouble) / 3),
    "texts": lambda: _column(["007", "1e5", "", "NaN", None]),
    "nullable texts": lambda: _column(["007", None], "string[python]"),
    "arrow texts": lambda: _column(["007", None], "string[pyarrow]"),
    "texts that are not UTF-8": lambda: _column(["\ud800x", None], "string[python]"),
    "nullable integers": lambda: _column([1, None], "Int8"),
    "nullable booleans": lambda: _column([True, None], "boolean"),
    "nullable floats": lambda: _column([1.5, None], "Float32"),
    "times": lambda: _every_unit("M"),
    "durations": lambda: _every_unit("m"),
    "seconds far away": lambda: _column(np.array([2**55, -(2**55)], dtype="M8[s]")),
    "times in Berlin": lambda: _zoned(BERLIN),
    "times in UTC": lambda: _zoned("UTC"),
    "times in India": lambda: _zoned(datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    "periods": lambda: _column(pd.period_range("2020", periods=2, freq="Q")),
    "intervals": lambda: _column(pd.interval_range(0, 2, closed="left")),
    "intervals of times": lambda: _column(pd.interval_range(pd.Timestamp("2020", tz=BERLIN), periods=2, freq="D")),
    "sparse": lambda: _column(pd.arrays.SparseArray([0, 0, 1])),
    "sparse floats": lambda: _column(pd.arrays.SparseArray([np.nan, 1.0, np.nan])),
    "categories": lambda: _column(pd.Categorical(["x", None, "y"], categories=["y", "z", "x"], ordered=True)),
    "categories of numbers": lambda: _column(pd.Categorical([1, 2, None], categories=[3, 2, 1])),
    "categories of floats": lambda: _column(pd.Categorical([0.5, None])),
    "categories of times": lambda: _column(pd.Categorical(pd.to_datetime(["2020", None, "2021"]))),
    "categories of bins": lambda: _column(pd.cut([1, 5, 9, np.nan], [0, 3, 6, 10])),
    "categories of all sorts": lambda: _column(pd.Categorical([1, "1", None, "x"])),
    "categories with a name": lambda: _column(pd.Categorical.from_codes([0, -1], pd.Index(["x", "y"], name="kind"))),
    "many categories": lambda: _column(pd.Categorical([f"x{number}" for number in range(3000)])),
    "no categories": lambda: _column(pd.Categorical([])),
    "arrow numbers": lambda: _arrow([1, None], pa.int8()),
    "arrow lists": lambda: _arrow([[1], None], pa.list_(pa.int8())),
    "arrow structs": lambda: _arrow([{"x": 1}, None], pa.struct([("x", pa.int8())])),
    "arrow decimals": lambda: _arrow([decimal.Decimal("1.50"), None], pa.decimal128(5, 2)),
    "arrow times of day": lambda: _arrow([datetime.time(1), None], pa.time32("s")),
    "arrow seconds": lambda: _arrow([pd.Timestamp("2020", tz="UTC"), None], pa.timestamp("s", "UTC")),
    "arrow dictionaries": lambda: _arrow(["x", None], pa.dictionary(pa.int8(), pa.string())),
}
OBJECTS: dict[str, Callable[[], Any]] = {
    "text objects": lambda: _objects("007", "x"),
    "text objects and None": lambda: _objects("x", None),
    "text objects and nan": lambda: _objects("x", np.nan),
    "text objects and NA": lambda: _objects("x", pd.NA),
    "text objects that are not UTF-8": lambda: _objects("\ud800x"),
    "all kinds of nothing": lambda: _objects("x", None, np.nan, pd.NA, pd.NaT),
    "only None": lambda: _objects(None, None),
    "integer objects": lambda: _objects(1, None, -(2**63)),
    "huge integers": lambda: _objects(2**70, 1),
    "float objects": lambda: _objects(1.5, np.nan, None),
    "boolean objects": lambda: _objects(True, None, False),
    "numbers of many types": lambda: _objects(1, 1.0, True, np.int8(1), np.float64(1), np.bool_(True)),
    "a number and a text": lambda: _objects(1, "1"),
    "bytes": lambda: _objects(b"\x00", None),
    "dates": lambda: _objects(datetime.date(2020, 2, 29), None),
    "times of day": lambda: _objects(datetime.time(1, 2, 3, 4), None),
    "datetime objects": lambda: _objects(
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), pd.Timestamp("2020").to_pydatetime(), None
    ),
    "decimals": lambda: _objects(decimal.Decimal("1.0"), decimal.Decimal("2.5")),
    "decimals of several scales": lambda: _objects(decimal.Decimal("1.0"), decimal.Decimal("1.00")),
    "UUIDs": lambda: _objects(uuid.UUID(int=1)),
    "lists": lambda: _objects([1, 2], [], None),
    "lists of lists": lambda: _objects([["a"], []], [[None]]),
    "tuples": lambda: _objects((1, "x"), (2,)),
    "dicts": lambda: _objects({"x": 1}, {"y": 2}),
    "sets": lambda: _objects({1, 2}, frozenset([3])),
    "embeddings": lambda: _objects(np.arange(3.0), np.arange(3.0) + 1),
    "arrays of several lengths": lambda: _objects(np.arange(3, dtype="i2"), np.arange(0, dtype="i2"), None),
    "pictures": lambda: _objects(np.zeros((2, 2, 3), "u1"), np.ones((2, 2, 3), "u1")),
    "pictures of several sizes": lambda: _objects(np.zeros((2, 2), "u1"), None, np.ones((3, 1), "u1")),
    "arrays of several dtypes": lambda: _objects(np.zeros(2, "u1"), np.zeros(2, "f4")),
    "pandas scalars": lambda: _objects(
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert(BERLIN),
        pd.Timestamp("2020").as_unit("s"),
        pd.Timedelta(1, "ns"),
        pd.Period("2020", "M"),
        pd.Interval(0, 1.5),
        pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"), closed="both"),
    ),
    "a frame in a cell": lambda: _objects(pd.DataFrame({"x": [1]}), 1),
    "odd objects": lambda: _objects(Thing(), 1),
}
INDEXES: dict[str, Callable[[], Any]] = {
    "range": lambda: pd.RangeIndex(5, 9, 2, name="r"),
    "texts": lambda: pd.Index(["b", "a"], name="a"),
    "repeated": lambda: pd.Index(["b", "b"]),
    "objects": lambda: pd.Index([1, "1"], dtype=object),
    "tuples": lambda: pd.Index([(1, 2), (3, 4)], tupleize_cols=False, name=("a", 1)),
    "days": lambda: pd.date_range("2020", periods=2, tz=BERLIN, freq="D"),
    "hours": lambda: pd.timedelta_range("1h", periods=2, freq="h"),
    "quarters": lambda: pd.period_range("2020", periods=2, freq="Q"),
    "intervals": lambda: pd.interval_range(0, 2, closed="left"),
    "categories": lambda: pd.CategoricalIndex(["x", "y"], categories=["y", "x"], ordered=True, name="c"),
    "booleans": lambda: pd.Index([True, False]),
    "floats": lambda: pd.Index([np.nan, -0.0], dtype="f4"),
    "levels": lambda: pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["p", None]),
    "levels with gaps": lambda: pd.MultiIndex.from_arrays([[1, None], [None, "b"]]),
    "levels of one name": lambda: pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["p", "p"]),
    "levels of times": lambda: pd.MultiIndex.from_product([pd.date_range("2020", periods=2, tz="UTC"), ["a"]]),
    "levels with unused labels": lambda: pd.MultiIndex.from_product([[1, 2, 3], ["a", "b"]])[1:3],
}
LABELS: dict[str, Callable[[], Any]] = {
    "numbered columns": lambda: pd.DataFrame([[1, 2]]),
    "numbered columns out of order": lambda: pd.DataFrame([[1, 2]], columns=[5, 3]),
    "columns of many types": lambda: pd.DataFrame([[1, 2, 3]], columns=["a", 1, (2, 3)]),
    "columns of one name": lambda: pd.DataFrame([[1, "x"]], columns=["a", "a"]),
    "columns without a name": lambda: pd.DataFrame([[1, 2, 3]], columns=pd.Index([None, np.nan, ""], dtype=object)),
    "columns named like an index": lambda: pd.DataFrame({"__index_level_0__": [1]}, index=["x"]),
    "columns with a name": _named_columns,
    "columns of days": lambda: pd.DataFrame([[1, 2]], columns=pd.date_range("2020", periods=2, freq="D")),
    "columns with levels": lambda: pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None])
    ),
    "no columns": lambda: pd.DataFrame(index=[1, 2, 3]),
    "nothing": pd.DataFrame,
    "attrs": _with_attrs,
    "unique labels only": lambda: _column([1]).set_flags(allows_duplicate_labels=False),
    "a thousand columns": lambda: pd.DataFrame(np.zeros((2, 1000))),
}
OTHERS: dict[str, Callable[[], Any]] = {
    "series": lambda: pd.Series([1, None], dtype="Int8", name=("a", 1), index=["x", "y"]),
    "series of objects": lambda: pd.Series([1, "x"]),
    "categorical": lambda: pd.Categorical(["x", None], categories=["y", "x"], ordered=True),
    "nullable array": lambda: pd.array([1, None], dtype="Int8"),
    "wrapped numpy array": lambda: pd.array([1 + 2j], dtype=np.dtype("c16")),
    "array of times": lambda: pd.array(["2020"], dtype="M8[s]"),
    "timestamp": lambda: pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert(BERLIN),
    "timedelta": lambda: pd.Timedelta(1, "ns"),
    "period": lambda: pd.Period("2020", "M"),
    "interval": lambda: pd.Interval(0, 1.5),
    "not a time": lambda: pd.NaT,
    "not available": lambda: pd.NA,
}
CASES: dict[str, Callable[[], Any]] = {
    **COLUMNS,
    **OBJECTS,
    **LABELS,
    **OTHERS,
    **{f"index: {name}": make for name, make in INDEXES.items()},
    **{f"rows: {name}": lambda make=make: pd.DataFrame({"a": [1, 2]}, index=make()) for name, make in INDEXES.items()},
    **{f"series: {name}": lambda make=make: pd.Series([1, 2], index=make()) for name, make in INDEXES.items()},
}
NEED_TRUST = {"odd objects"}


def assert_same(one: Any, other: Any) -> None:
    assert type(other) is type(one)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(
            one, other, check_exact=True, check_freq=True, check_column_type="exact", check_index_type="exact"
        )
        for position in range(one.shape[1]):
            _assert_same_elements(one.iloc[:, position], other.iloc[:, position])
        assert repr(other.attrs) == repr(one.attrs)
        assert other.flags == one.flags
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_exact=True, check_freq=True, check_index_type="exact")
        _assert_same_elements(one, other)
    elif isinstance(one, pd.Index):
        pd.testing.assert_index_equal(one, other, exact=True, check_exact=True)
        assert getattr(other, "freq", None) == getattr(one, "freq", None)
        assert list(other.names) == list(one.names)
    elif isinstance(one, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(one, other, check_exact=True)
    else:
        assert repr(other) == repr(one)


def _assert_same_elements(one: pd.Series, other: pd.Series) -> None:
    if one.dtype == object:
        assert [type(element) for element in other] == [type(element) for element in one]
        assert repr(other.tolist()) == repr(one.tolist()) or other.tolist() == one.tolist()


@pytest.mark.parametrize("name", CASES)
def test_a_value_comes_back(name: str, tmp_path: Path, expected_warnings: Callable[[str], None]) -> None:
    if name in NEED_TRUST:
        expected_warnings("holds objects of type Thing")
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path, trusted=name in NEED_TRUST))


def test_values_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    # Without the class that only this module has.
    check_in_fresh_process(
        __file__, {name: make for name, make in CASES.items() if name != "odd objects"}, (), tmp_path
    )


_ELEMENTS = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(),
    strategies.floats(),
    strategies.text(),
    strategies.binary(),
    strategies.tuples(strategies.integers()),
)


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    pandas_strategies.data_frames(
        [
            pandas_strategies.column("number", dtype=float),
            pandas_strategies.column("integer", dtype=np.int64),
            pandas_strategies.column("time", dtype=np.dtype("M8[ns]")),
            pandas_strategies.column("object", elements=_ELEMENTS, dtype=object),
        ],
        index=pandas_strategies.indexes(elements=strategies.text(strategies.characters(codec="utf-8"))),
    )
)
def test_frames_come_back_without_pickling(frame: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as directory:
        assert_same(frame, there_and_back(frame, Path(directory)))


@pytest.mark.parametrize("name", sorted(set(CASES) - NEED_TRUST))
def test_only_odd_objects_are_pickled(name: str, tmp_path: Path) -> None:
    save_as_chosen(CASES[name](), tmp_path / "data")
    assert not [path for path in files(tmp_path) if "pickle" in path or path.endswith(".pkl")]


def test_objects_that_need_pickling_are_announced_and_load_only_with_trust(
    tmp_path: Path, expected_warnings: Callable[[str], None]
) -> None:
    expected_warnings("a column holds objects of type Thing, which no open format can keep: they are pickled")
    with pytest.raises(UntrustedPickle):
        there_and_back(_objects(Thing()), tmp_path)


def test_an_offset_that_has_no_name_is_kept(tmp_path: Path) -> None:
    closed = pd.offsets.CustomBusinessDay(holidays=["2020-01-02"])
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2020", periods=2, freq=closed))
    assert_same(frame, there_and_back(frame, tmp_path, trusted=True))


def test_a_usual_frame_is_one_parquet_file_that_pandas_reads_by_itself(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": ["007", "008"],
            "when": pd.date_range("2020", periods=2, tz="Europe/Berlin"),
            "kind": pd.Categorical(["x", "y"]),
            "count": pd.array([1, None], dtype="Int64"),
            "period": pd.period_range("2020", periods=2, freq="M"),
            "embedding": [np.arange(2.0), np.arange(2.0)],
        },
        index=pd.Index([10, 20], name="key"),
    )
    save_as_chosen(frame, tmp_path / "data")
    assert files(tmp_path / "data") == ["df.parquet"]
    read = pd.read_parquet(tmp_path / "data" / "df.parquet")
    pd.testing.assert_frame_equal(read, frame, check_freq=False, check_categorical=False)
    assert list(read["kind"]) == ["x", "y"]
    assert pq.read_schema(tmp_path / "data" / "df.parquet").field("embedding").type == pa.large_list(pa.float64())


def test_a_loaded_frame_can_be_changed(tmp_path: Path) -> None:
    loaded = there_and_back(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), tmp_path)
    loaded.loc[0, "a"] = 5.0
    loaded["c"] = 1
    assert loaded["a"].tolist() == [5.0, 2.0]


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for directory in ("one", "other"):
        save_as_chosen(COLUMNS["categories"](), tmp_path / directory)
    one, other = (tmp_path / directory / "df.parquet" for directory in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_a_frame_of_another_class_is_not_taken_for_a_plain_one() -> None:
    class GeoFrame(pd.DataFrame):
        pass

    assert materializer_for(GeoFrame) is not DataFrameMaterializer


def test_a_file_of_another_program_is_refused_with_advice(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "df.parquet")
    with pytest.raises(MaterializerError, match=r"read it with pandas\.read_parquet"):
        DataFrameMaterializer(tmp_path).load(pd.DataFrame)


def test_pandas_values_stand_in_the_json_file_of_their_container() -> None:
    moments = {"when": pd.Timestamp("2020", tz=BERLIN), "gone": [pd.NaT, pd.NA], "bin": pd.Interval(0, 1)}
    assert repr(round_trip(moments)) == repr(moments)


def test_metadata_and_page_of_a_frame(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5], "<b>": ["x", "<script>"]})
    saver = save_as_chosen(frame, tmp_path / "data")
    saver.visualizations_dir = str(tmp_path / "shown")
    assert saver.extract_metadata(frame) == {
        "shape": (2, 2),
        "rows": 2,
        "columns": 2,
        "memory_size": int(frame.memory_usage().sum()),
        "schema": {"a": "float64", "<b>": str(frame["<b>"].dtype)},
    }
    [(path, kind)] = saver.save_visualizations(frame).items()
    assert kind is VisualizationType.HTML
    text = Path(path).read_text()
    assert "First 2 rows" in text
    assert "<td>2.0</td>" in text or "2.000000" in text
    assert "<script>" not in text
