"""Filters compare values as Python does: numbers of any size, None, times of any zone, tags with colons."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import pytest

from artfs.catalog import Catalog
from artfs.errors import InvalidValue
from artfs.types import StorageSize
from support.catalogs import save

COMPARED = {"equals": eq, "notequals": ne, "gt": gt, "gte": ge, "lt": lt, "lte": le}
NUMBERS: list[int | float] = [
    0, 5, -5, 2.5, 2**53 - 1, 2**53, 2**53 + 1, float(2**53), -(2**53) - 1, 2**63, 2**70, 2**70 + 1, float(2**70),
    -(2**70), 10**400, 10**400 + 1, -(10**400), 7**9000, 7**9000 + 2, -(7**9000), math.inf, -math.inf,
    StorageSize(2**70 + 2),
]  # fmt: skip


def _found(catalog: Catalog, where: dict[str, Any]) -> list[str]:
    found = catalog.versions.list(where=where)
    assert catalog.versions.count(where=where) == len(found)
    return [version.name for version in found]


def test_numbers_of_any_size_are_compared_exactly(catalog: Catalog) -> None:
    for position, number in enumerate(NUMBERS):
        save(catalog, "numbers", name=f"v{position}", metadata={"n": number})
    for wanted in NUMBERS:
        for operator, compare in COMPARED.items():
            expected = [f"v{position}" for position, number in enumerate(NUMBERS) if compare(number, wanted)]
            assert _found(catalog, {"metadata.n": (operator, wanted)}) == expected, (operator, wanted)


def test_a_long_number_as_text_is_that_number(catalog: Catalog) -> None:
    save(catalog, "numbers", name="one", metadata={"n": 2**70})
    save(catalog, "numbers", name="two", metadata={"n": 2**70 + 1})
    assert _found(catalog, {"metadata.n": str(2**70)}) == ["one"]
    assert _found(catalog, {"metadata.n": f"gt:{2**70}"}) == ["two"]
    assert _found(catalog, {"metadata.n": f"oneof:[{2**70}, {2**70 + 1}]"}) == ["one", "two"]
    assert _found(catalog, {"bytes": ("lt", 2**70)}) == ["one", "two"]
    assert _found(catalog, {"bytes": f"gt:{10**400}"}) == []
    with pytest.raises(InvalidValue, match="is not a time"):
        _found(catalog, {"created": 2**70})


def test_none_is_a_value_that_was_logged(catalog: Catalog) -> None:
    save(catalog, "a", name="without")
    save(catalog, "a", name="none", metadata={"k": None})
    save(catalog, "a", name="word", metadata={"k": "None"})
    save(catalog, "a", name="zero", metadata={"k": 0})
    assert _found(catalog, {"metadata.k": None}) == ["none"]
    assert _found(catalog, {"metadata.k": ("notequals", None)}) == ["without", "word", "zero"]
    assert _found(catalog, {"metadata.k": ("oneof", [None, 0])}) == ["none", "zero"]
    assert _found(catalog, {"metadata.k": ("notoneof", [None, 0])}) == ["without", "word"]
    assert _found(catalog, {"metadata.k": "isnull"}) == ["without", "none"]
    assert _found(catalog, {"metadata.k": "isnotnull"}) == ["word", "zero"]
    assert _found(catalog, {"metadata.k": "None"}) == ["word"]
    assert _found(catalog, {"metadata.k": False}) == ["zero"]
    with pytest.raises(InvalidValue, match="neither less nor greater"):
        _found(catalog, {"metadata.k": ("gt", None)})


@pytest.mark.parametrize("tag", ["env:prod", "sha256:ab", "a::b", "12:30", "team:env:x", "like:x"])
def test_a_tag_with_a_colon_is_a_tag(catalog: Catalog, tag: str) -> None:
    save(catalog, "a", name="tagged", tags=[tag])
    save(catalog, "a", name="other", tags=["env"])
    assert _found(catalog, {"tag": tag}) == ["tagged"]
    assert _found(catalog, {"tag": [tag]}) == ["tagged"]
    assert _found(catalog, {"tag": f"equals:{tag}"}) == ["tagged"]
    assert _found(catalog, {"tag": f"notequals:{tag}"}) == ["other"]
    assert _found(catalog, {"tag": f"oneof:{tag},none"}) == ["tagged"]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - without a zone
NOON_IN_TOKYO = datetime(2024, 5, 1, 3, tzinfo=UTC)


@pytest.mark.usefixtures("tokyo")
@pytest.mark.parametrize("noon", [NOON, NOON_IN_TOKYO, NOON.isoformat(), NOON_IN_TOKYO.isoformat(), "2024-05-01 12:00"])
def test_a_time_without_a_zone_is_local(catalog: Catalog, noon: Any) -> None:
    minute = timedelta(minutes=1)
    for name, moment in {"before": -minute, "at": timedelta(), "after": minute}.items():
        created = NOON_IN_TOKYO + moment
        version = save(catalog, "a", name=name, metadata={"when": created, "local": NOON + moment, "text": name})
        us = (created - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        catalog.engine.execute("UPDATE version SET created_us = :us WHERE id = :id", {"us": us, "id": version.id})
    for field in ("created", "metadata.when", "metadata.local"):
        assert _found(catalog, {field: ("lt", noon)}) == ["before"]
        assert _found(catalog, {field: ("equals", noon)}) == ["at"]
        assert _found(catalog, {field: ("gte", noon)}) == ["at", "after"]
        assert _found(catalog, {field: f"gt:{noon}"}) == ["after"]
    assert _found(catalog, {"metadata.text": ("equals", noon)}) == []


@pytest.mark.usefixtures("tokyo")
def test_a_day_begins_at_midnight_here(catalog: Catalog) -> None:
    save(catalog, "a", name="day", metadata={"d": date(2024, 5, 1)})
    save(catalog, "a", name="night", metadata={"d": datetime(2024, 4, 30, 23, tzinfo=timezone(timedelta(hours=9)))})
    assert _found(catalog, {"metadata.d": date(2024, 5, 1)}) == ["day"]
    assert _found(catalog, {"metadata.d": "gte:2024-05-01"}) == ["day"]
    assert _found(catalog, {"metadata.d": "lt:2024-05-01"}) == ["night"]
    assert _found(catalog, {"created": ("gt", date(2000, 1, 1))}) == ["day", "night"]


def test_texts_that_look_like_times_are_compared_as_texts_with_texts(catalog: Catalog) -> None:
    save(catalog, "a", name="text", metadata={"k": "2024-05-01"})
    save(catalog, "a", name="time", metadata={"k": datetime(2024, 5, 1, tzinfo=UTC)})
    assert _found(catalog, {"metadata.k": "2024-05-01"})[:1] == ["text"]
    assert _found(catalog, {"metadata.k": "contains:2024-05"}) == ["text", "time"]
    assert _found(catalog, {"metadata.k": datetime(2024, 5, 1, tzinfo=UTC)}) == ["time"]


@pytest.mark.usefixtures("tokyo")
@pytest.mark.parametrize("noon", [NOON, NOON_IN_TOKYO, NOON.isoformat(), NOON_IN_TOKYO.isoformat(), "2024-05-01 12:00"])
def test_times_logged_for_runs_are_compared_as_those_of_versions(catalog: Catalog, noon: Any) -> None:
    for name, minutes in {"before": -1, "at": 0, "after": 1}.items():
        run = catalog.runs.create("train", name)
        moment = timedelta(minutes=minutes, microseconds=123_457 * minutes)
        catalog.run_metadata.set(run.id, {"when": NOON_IN_TOKYO + moment, "local": NOON + moment, "text": name})

    def runs(where: dict[str, Any]) -> list[str]:
        found = catalog.runs.list(where=where)
        assert catalog.runs.count(where=where) == len(found)
        return [run.name for run in found]

    for field in ("metadata.when", "metadata.local"):
        assert runs({field: ("lt", noon)}) == ["before"]
        assert runs({field: ("equals", noon)}) == ["at"]
        assert runs({field: ("gte", noon)}) == ["at", "after"]
        assert runs({field: f"gt:{noon}"}) == ["after"]
        assert runs({field: ("gt", date(2024, 5, 1))}) == ["before", "at", "after"]
    assert runs({"metadata.text": ("equals", noon)}) == []


def test_digits_that_are_a_year_or_a_day_are_no_microseconds(catalog: Catalog) -> None:
    save(catalog, "a", name="now")
    for past, future in (("2024", "2999"), ("20240131", "29990131"), ("2024-01-31", "2999-01-31")):
        assert _found(catalog, {"created": [f"gt:{past}", f"lt:{future}"]}) == ["now"]
        assert _found(catalog, {"created": f"lt:{past}"}) == _found(catalog, {"created": f"gt:{future}"}) == []
    assert _found(catalog, {"created": "gt:1700000000000000"}) == ["now"], "microseconds since 1970"
    with pytest.raises(InvalidValue, match="is not a time"):
        _found(catalog, {"created": "gt:20241301"})


def test_a_bool_is_found_as_python_and_json_write_it(catalog: Catalog) -> None:
    for name, value in {"yes": True, "no": False, "Text": "True", "text": "true", "one": 1}.items():
        save(catalog, "a", name=name, metadata={"ok": value})
    assert _found(catalog, {"metadata.ok": f"{True}"}) == ["yes", "Text"]
    assert _found(catalog, {"metadata.ok": f"oneof:{True},{False}"}) == ["yes", "no", "Text"]
    assert _found(catalog, {"metadata.ok": f"notequals:{True}"}) == ["no", "text", "one"]
    assert _found(catalog, {"metadata.ok": "true"}) == ["yes", "text"]
    assert _found(catalog, {"metadata.ok": True}) == ["yes", "one"], "as in Python"


@pytest.mark.parametrize("value", [[1, 2], (1, 2), {1, 2}, {"a": 1}], ids=str)
def test_a_container_is_refused_rather_than_not_found(catalog: Catalog, value: Any) -> None:
    save(catalog, "a", metadata={"k": value})
    for operator in ("equals", "notequals", "gt", "contains"):
        with pytest.raises(InvalidValue, match="no filter looks into"):
            _found(catalog, {"metadata.k": (operator, value)})
    with pytest.raises(InvalidValue, match="no filter looks into"):
        _found(catalog, {"metadata.k": ("oneof", [value])})
