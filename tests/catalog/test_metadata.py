"""Logged values come back as they were, whatever their type."""

from __future__ import annotations

import math
import os
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.catalog import Catalog
from artfs.catalog.values import DType, StorageSize, Uri, decode, encode
from artfs.errors import InvalidValue
from support.catalogs import save

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=30))))
    | st.dates()
    | st.builds(Uri, st.text())
    | st.builds(DType, st.text())
    | st.builds(StorageSize, st.integers(min_value=0))
    | st.builds(Path, st.text(alphabet="abc/.", min_size=1))
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.dates()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(KEYS, max_size=3)
        | st.frozensets(KEYS, max_size=3)
        | st.dictionaries(KEYS | st.tuples(KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_comes_back_as_it_was(value: object) -> None:
    _assert_same(decode(encode(value)), value)


EDGES = {
    "negative zero": -0.0,
    "nan": math.nan,
    "infinite": math.inf,
    "beyond 64 bits": 2**63,
    "beyond a double": -(10**400),
    "beyond decimal": 7**9000,
    "beyond decimal, inside": [7**9000],
    "large size": StorageSize(2**70),
    "microseconds": datetime(2024, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "looks like a tag": {"$type": "tuple", "items": [1]},
    "keys of all types": {1: "int", "1": "text", None: [math.nan, (1, {2})]},
    "control characters": "a\nb\0c",
    "half a surrogate pair": ["\ud800", {"\udcff": 1}],
    "a file name that is not UTF-8": Path(os.fsdecode(b"\xff")),
}


@pytest.mark.parametrize("value", EDGES.values(), ids=EDGES)
def test_values_on_the_edge_come_back_as_they_were(catalog: Catalog, value: object) -> None:
    version = save(catalog, "iris", metadata={"key": value})
    _assert_same(catalog.metadata.get(version.id)["key"], value)


def test_the_newest_value_of_a_key_counts_and_older_ones_are_history(catalog: Catalog) -> None:
    version, other = save(catalog, "iris", metadata={"a": 1, "b": "x"}), save(catalog, "iris", metadata={"a": 9})
    catalog.metadata.set(version.id, {"a": 2.5, "c": None})
    catalog.metadata.set(version.id, {"a": "three"})
    assert catalog.metadata.get(version.id) == {"a": "three", "b": "x", "c": None}
    assert [logged.value for logged in catalog.metadata.history(version.id, "a")] == ["three", 2.5, 1]
    newest = catalog.metadata.value(version.id, "a")
    assert newest is not None
    assert (newest.key, newest.value, newest.type) == ("a", "three", "str")
    assert catalog.metadata.rows(version.id)[0] == newest
    assert catalog.metadata.value(version.id, "unknown") is None
    assert catalog.metadata.get(other.id) == {"a": 9}


def test_a_value_of_no_known_type_is_refused_and_nothing_is_logged(catalog: Catalog) -> None:
    version = save(catalog, "iris")
    with pytest.raises(InvalidValue, match="metadata 'bad': metadata of type object") as refused:
        catalog.metadata.set(version.id, {"good": 1, "bad": [object()]})
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidValue):
        catalog.metadata.set(version.id, {"": 1})
    with pytest.raises(InvalidValue):
        save(catalog, "iris", metadata={"bad": object()})
    assert catalog.metadata.get(version.id) == {}
    assert catalog.versions.count() == 1


def test_runs_and_their_steps_have_metadata_of_their_own(catalog: Catalog) -> None:
    run = catalog.runs.create("train", "one")
    step = catalog.steps.create(run.id, "fit")
    catalog.run_metadata.set(run.id, {"loss": 1.0})
    catalog.run_metadata.set(run.id, {"loss": 2.0}, step.id)
    catalog.run_metadata.set(run.id, {"loss": 0.5})
    assert catalog.run_metadata.get(run.id) == {"loss": 0.5}
    assert catalog.run_metadata.get(run.id, step.id) == {"loss": 2.0}
    assert [logged.value for logged in catalog.run_metadata.history(run.id, "loss")] == [0.5, 1.0]


def _assert_same(found: object, expected: object) -> None:
    """Equal in value and in all types, NaN and the sign of zero included."""
    assert _spelled(found) == _spelled(expected)


def _spelled(value: object) -> object:
    if isinstance(value, dict):
        return ("dict", sorted((repr(_spelled(key)), repr(_spelled(item))) for key, item in value.items()))
    if isinstance(value, set | frozenset):
        return (type(value), sorted(repr(_spelled(item)) for item in value))
    if isinstance(value, list | tuple):
        return (type(value), [_spelled(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return (type(value), hex(value))
    if isinstance(value, datetime | date):
        return (type(value), value.isoformat())
    return (type(value), repr(value))
