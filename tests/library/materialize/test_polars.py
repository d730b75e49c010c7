"""polars frames and series come back with every dtype."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.testing
import pytest

from artfs.errors import UntrustedPickle
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files


class Thing:
    """An object that only pickle can keep."""


def _column(values: Any, dtype: Any) -> pl.DataFrame:
    return pl.DataFrame([pl.Series("a", values, dtype=dtype)])


INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
UNITS = ("ms", "us", "ns")

CASES: dict[str, Callable[[], Any]] = {
    "integers": lambda: pl.DataFrame([pl.Series(str(dtype), [1, None], dtype=dtype) for dtype in INTEGERS]),
    "floats": lambda: pl.DataFrame({"a": [float("nan"), None, -0.0, float("inf")]}),
    "single floats": lambda: _column([1.5, None], pl.Float32),
    "texts": lambda: pl.DataFrame({"a": ["007", "", None]}),
    "bytes": lambda: pl.DataFrame({"a": [b"x", None]}),
    "booleans": lambda: pl.DataFrame({"a": [True, None]}),
    "nothing at all": lambda: pl.DataFrame({"a": [None, None]}),
    "categories": lambda: _column(["x", "y", None], pl.Categorical),
    "an enum": lambda: _column(["x", None], pl.Enum(["z", "x"])),
    "times in Berlin": lambda: pl.DataFrame(
        [
            pl.Series(u, [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)], dtype=pl.Datetime(u, "Europe/Berlin"))
            for u in UNITS
        ]
    ),
    "durations": lambda: pl.DataFrame([pl.Series(u, [datetime.timedelta(1)], dtype=pl.Duration(u)) for u in UNITS]),
    "days and times of day": lambda: pl.DataFrame({"d": [datetime.date(2020, 1, 1)], "t": [datetime.time(1, 2, 3, 4)]}),
    "decimals": lambda: _column([decimal.Decimal("1.50"), None], pl.Decimal(10, 3)),
    "structs": lambda: pl.DataFrame({"a": [{"x": 1, "y": ["z"]}, None]}),
    "structs without fields": lambda: _column([{}], pl.Struct([])),
    "lists of them": lambda: _column([[{}]], pl.List(pl.Struct([]))),
    "lists": lambda: pl.DataFrame({"a": [[1, 2], None, []]}),
    "arrays": lambda: _column([[[1, 2], [3, 4]]], pl.Array(pl.Int16, (2, 2))),
    "lists of categories": lambda: _column([["x", "y"], ["x"]], pl.List(pl.Categorical)),
    "objects": lambda: pl.DataFrame(
        {"first": [1, 2], "o": pl.Series([{1, 2}, (3, "x")], dtype=pl.Object), "last": [0.5, 1.5]}
    ),
    **{
        f"objects in a series {name!r}": lambda name=name: pl.Series(name, [{1}, None], dtype=pl.Object)
        for name in ("named", "", "*", "^n.*$", "column_0")
    },
    **{
        f"objects in a column {name!r}": lambda name=name: pl.DataFrame(
            {"z": [1, 2], name: pl.Series([{1}, None], dtype=pl.Object), "b": pl.Series([(3,), 4], dtype=pl.Object)}
        )
        for name in ("", "*", "^.*$", "column_1")
    },
    "lazy with objects": lambda: pl.LazyFrame({"": pl.Series([{1}], dtype=pl.Object), "*": [1]}),
    "objects without rows": lambda: pl.DataFrame({"": pl.Series([], dtype=pl.Object), "a": []}),
    "a column without a name": lambda: pl.DataFrame({"": [1], "*": [2], "^a$": [3]}),
    "no rows": lambda: pl.DataFrame(schema={"a": pl.Int8, "e": pl.Enum(["q"])}),
    "no columns": lambda: pl.DataFrame(),
    "series": lambda: pl.Series("name", [1, None], dtype=pl.UInt8),
    "series without a name": lambda: pl.Series(["x"]),
    "lazy": lambda: pl.LazyFrame({"a": [1, 2, 3]}).filter(pl.col("a") > 1),
}


def assert_same(one: Any, other: Any) -> None:
    assert type(other) is type(one)
    if isinstance(one, pl.LazyFrame):
        one, other = one.collect(), other.collect()
    if isinstance(one, pl.Series):
        assert other.name == one.name
        one, other = one.to_frame(), other.to_frame()
    assert list(other.schema.items()) == list(one.schema.items())
    for column, again in zip(one, other, strict=True):
        if column.dtype == pl.Object:
            assert again.to_list() == column.to_list()
        else:
            polars.testing.assert_series_equal(column, again, check_exact=True)


@pytest.mark.parametrize("name", CASES)
def test_a_value_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path))
    assert not [path for path in files(tmp_path) if path.endswith(".pkl")]


def test_values_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    check_in_fresh_process(__file__, CASES, (), tmp_path)


def test_a_frame_is_one_parquet_file_that_anyone_reads(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["007"], "x": [1.5]})
    save_as_chosen(frame, tmp_path / "data")
    assert files(tmp_path / "data") == ["df.parquet"]
    polars.testing.assert_frame_equal(pl.read_parquet(tmp_path / "data" / "df.parquet"), frame)


def test_a_lazy_frame_does_not_need_its_file_any_more(tmp_path: Path) -> None:
    loaded = there_and_back(pl.LazyFrame({"a": [1, 2]}), tmp_path)
    (tmp_path / "data" / "df.parquet").unlink()
    assert loaded.select(pl.col("a").sum()).collect().item() == 3


def test_objects_that_need_pickling_load_only_with_trust(tmp_path: Path) -> None:
    frame = pl.DataFrame({"o": pl.Series([Thing()], dtype=pl.Object)})
    with pytest.raises(UntrustedPickle):
        there_and_back(frame, tmp_path / "strangers")
    assert isinstance(there_and_back(frame, tmp_path / "own", trusted=True)["o"][0], Thing)


def test_metadata_and_page_of_a_frame(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": np.arange(3), "<b>": ["x", "y", "<script>"]})
    saver = save_as_chosen(frame, tmp_path / "data")
    saver.visualizations_dir = str(tmp_path / "shown")
    facts = saver.extract_metadata(frame)
    assert (facts["shape"], facts["schema"]) == ((3, 2), {"a": "Int64", "<b>": "String"})
    [path] = saver.save_visualizations(frame)
    text = Path(path).read_text()
    assert "Summary" in text
    assert "<script>" not in text
