"""Filters find what a loop over all would find, and stay within their scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.catalog import Catalog
from artfs.catalog.versions import Version
from artfs.content.digest import format_digest
from artfs.errors import InvalidValue
from support.catalogs import save
from support.postgres import new_database

NAMES = ["1", "2", "10", "best", "Best", "100%", "a_b", "axb", "gt:5", "é"]
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda name, value: name == value,
    "notequals": lambda name, value: name != value,
    "contains": lambda name, value: value in name,
    "notcontains": lambda name, value: value not in name,
    "startswith": lambda name, value: name.startswith(value),
    "endswith": lambda name, value: name.endswith(value),
    "gt": lambda name, value: name.encode() > value.encode(),
    "gte": lambda name, value: name.encode() >= value.encode(),
    "lt": lambda name, value: name.encode() < value.encode(),
    "lte": lambda name, value: name.encode() <= value.encode(),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Versions of two artifacts, a few facts each, in each engine."""
    if request.param == "sqlite":
        url = str(tmp_path_factory.mktemp("filters") / "catalog.db")
    else:
        url = new_database(request.getfixturevalue("server"))
    catalog = Catalog.open(url)
    for number, name in enumerate(NAMES):
        save(
            catalog,
            "iris",
            b"x" * number,
            name=name,
            type="ModelArtifact" if number % 2 else "DataArtifact",
            tags=["even"] if number % 2 == 0 else [],
            user="ada" if number < 5 else None,
            metadata={"n": number, "mixed": number if number % 3 else str(number), "note": f"note {name}"},
        )
    save(catalog, "other", b"y", name="best", metadata={"n": 100, "deep": {"a": 1}}, tags=["even"])
    # A value that was logged again: only the newest may be found.
    catalog.metadata.set(_named(catalog, "1").id, {"n": 0.5})
    yield catalog
    catalog.close()


def _named(catalog: Catalog, name: str) -> Version:
    artifact = catalog.artifacts.get("iris")
    assert artifact is not None
    version = catalog.versions.get(artifact.id, name)
    assert version is not None
    return version


def _found(catalog: Catalog, **where: Any) -> list[str]:
    versions = catalog.versions.list(where=where)
    assert catalog.versions.count(where=where) == len(versions)
    return [f"{version.artifact}@{version.name}" for version in versions]


def _iris(*names: str) -> list[str]:
    return [f"iris@{name}" for name in names]


@given(operator=st.sampled_from(sorted(OPERATORS)), value=st.sampled_from(NAMES) | st.text("1b%_é\\", max_size=2))
def test_operators_on_text_do_what_they_say(filled: Catalog, operator: str, value: str) -> None:
    expected = [name for name in NAMES if OPERATORS[operator](name, value)]
    assert _found(filled, artifact="iris", name=f"{operator}:{value}") == _iris(*expected)
    assert _found(filled, artifact="iris", name=(operator, value)) == _iris(*expected)


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ({"number": 10}, ["10"]),
        ({"number": "gte:2"}, ["2", "10"]),
        ({"number": "isnull"}, NAMES[3:]),
        ({"number": None}, NAMES[3:]),
        ({"number": "isnotnull"}, ["1", "2", "10"]),
        ({"number": "notequals:2"}, [name for name in NAMES if name != "2"]),
        ({"name": 'oneof:["best", "é"]'}, ["best", "é"]),
        ({"name": "in:best,é"}, ["best", "é"]),
        ({"name": ("oneof", ["best", "é"])}, ["best", "é"]),
        ({"name": ("oneof", [])}, []),
        ({"name": 'notoneof:["1"]'}, NAMES[1:]),
        ({"number": "in:1,10"}, ["1", "10"]),
        ({"bytes": ["gt:2", "lte:4"]}, ["best", "Best"]),
        ({"type": "ModelArtifact", "bytes": "lt:4"}, ["2", "best"]),
        ({"tag": "even", "bytes": "lt:4"}, ["1", "10"]),
        ({"tag": "notequals:even", "bytes": "lt:4"}, ["2", "best"]),
        ({"tag": "isnull", "bytes": "lt:4"}, ["2", "best"]),
        ({"user": "ada"}, NAMES[:5]),
        ({"user": "isnull"}, NAMES[5:]),
        ({"user": "notequals:ada"}, NAMES[5:]),
        ({"trusted": "false", "name": "1"}, ["1"]),
        ({"metadata.n": "gt:7"}, NAMES[8:]),
        ({"metadata.n": "equals:0"}, []),
        ({"metadata.n": 0.5}, ["1"]),
        ({"metadata.n": "oneof:[3, 5]"}, ["best", "100%"]),
        ({"metadata.n": "isnull"}, []),
        ({"metadata.mixed": "6"}, ["a_b"]),
        ({"metadata.mixed": 6}, []),
        ({"metadata.mixed": "7"}, ["axb"]),
        ({"metadata.note": "note best"}, ["best"]),
        ({"metadata.note": "endswith:est"}, ["best", "Best"]),
        ({"metadata.nothing": "isnotnull"}, []),
        ({"metadata.nothing": "isnull", "name": "1"}, ["1"]),
        ({"created": f"gt:{datetime(2000, 1, 1, tzinfo=UTC).isoformat()}", "name": "1"}, ["1"]),
        ({"created": datetime(2000, 1, 1, tzinfo=UTC)}, []),
        ({"created": "lt:2000-01-01"}, []),
    ],
    ids=str,
)
def test_filters_find_what_they_say(filled: Catalog, where: dict[str, Any], names: list[str]) -> None:
    assert _found(filled, artifact="iris", **where) == _iris(*names)


def test_a_digest_is_a_filter(filled: Catalog) -> None:
    version = _named(filled, "best")
    assert _found(filled, digest=format_digest(version.digest)) == ["iris@best"]
    assert _found(filled, id=version.uuid) == ["iris@best"]


def test_or_stays_within_the_scope(filled: Catalog) -> None:
    """Versions of `other` fulfil both conditions, but are not asked for."""
    artifact = filled.artifacts.get("iris")
    assert artifact is not None
    where = {"name": "best", "tag": "even"}
    found = filled.versions.list(artifact.id, where, any_of=True)
    assert [version.name for version in found] == ["1", "10", "best", "Best", "a_b", "gt:5"]
    assert {version.artifact for version in found} == {"iris"}
    assert filled.versions.count(artifact.id, where, any_of=True) == len(found)
    assert len(filled.versions.list(where=where, any_of=True)) == len(found) + 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"metadata.": "x"}, "unknown field 'metadata.'"),
        ({"name": "like:x"}, "unknown operator 'like'"),
        ({"name": ("like", "x")}, "unknown operator 'like'"),
        ({"name": ("equals", "x", "y")}, "give \\(operator, value\\)"),
        ({"number": "gt:many"}, "'many' is not a number"),
        ({"number": "contains:1"}, "'contains' is for text"),
        ({"created": "gt:yesterday"}, "is not a time"),
        ({"trusted": "perhaps"}, "is not a bool"),
        ({"digest": "b3:12"}, "is not a digest"),
        ({"name": "oneof:[1"}, "not a JSON list"),
        ({"metadata.n'; DROP TABLE version; --": "gt:x'; --"}, None),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_an_error(filled: Catalog, where: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert filled.versions.list(where=where) == []
        return
    with pytest.raises(InvalidValue, match=message) as refused:
        filled.versions.list(where=where)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["a::b::output", "s3://bucket/key", "12:30:00", "C:/data"])
def test_a_value_with_a_colon_is_not_an_operator(catalog: Catalog, value: str) -> None:
    save(catalog, "iris", metadata={"from": value})
    save(catalog, "iris", metadata={"from": "elsewhere"})
    assert catalog.versions.count(where={"metadata.from": value}) == 1


def test_pages_and_order(filled: Catalog) -> None:
    artifact = filled.artifacts.get("iris")
    assert artifact is not None

    def names(**how: Any) -> list[str]:
        return [version.name for version in filled.versions.list(artifact.id, **how)]

    assert names() == NAMES
    assert names(sort="desc:created") == NAMES[::-1]
    assert names(sort="name") == sorted(NAMES, key=str.encode)
    assert names(sort="desc:bytes", size=3) == NAMES[:-4:-1]
    assert names(sort="asc:metadata.n", size=2) == ["1", "2"]
    assert names(sort="desc:metadata.note", size=1) == [max(NAMES, key=str.encode)]
    assert [names(page=page, size=4) for page in (1, 2, 3, 4)] == [NAMES[:4], NAMES[4:8], NAMES[8:], []]
    for bad in ({"sort": "up:name"}, {"sort": "asc:colour"}, {"sort": "asc:tag"}, {"page": 0, "size": 5}, {"page": 2}):
        with pytest.raises(InvalidValue):
            names(**bad)


def test_equal_keys_keep_an_order_so_that_pages_do_not_overlap(filled: Catalog) -> None:
    pages = [filled.versions.list(sort="asc:type", page=page, size=3) for page in range(1, 5)]
    assert len({version.id for page in pages for version in page}) == len(NAMES) + 1


def test_artifacts_and_runs_are_filtered_alike(catalog: Catalog) -> None:
    for name in ("iris", "wine", "digits"):
        artifact = catalog.artifacts.ensure(name, catalog.users.ensure("ada").id if name == "wine" else None)
        catalog.tags.add_to_artifact(artifact.id, name[0])
        run = catalog.runs.create("train", f"{name}-run")
        catalog.runs.finish(run.id, "completed" if name == "iris" else "failed")
    save(catalog, "wine")

    def artifacts(**where: Any) -> list[str]:
        assert catalog.artifacts.count(where) == len(catalog.artifacts.list(where))
        return [artifact.name for artifact in catalog.artifacts.list(where)]

    assert artifacts(name="contains:i") == ["iris", "wine", "digits"]
    assert artifacts(tag='oneof:["i", "w"]') == ["iris", "wine"]
    assert artifacts(versions="gt:0") == artifacts(user="ada") == ["wine"]
    assert [artifact.name for artifact in catalog.artifacts.list(sort="desc:name", size=2, page=2)] == ["digits"]
    assert [artifact.name for artifact in catalog.artifacts.list({"name": "iris", "user": "ada"}, any_of=True)] == [
        "iris",
        "wine",
    ]
    assert [run.name for run in catalog.runs.list(where={"status": "failed"}, sort="desc:started")] == [
        "digits-run",
        "wine-run",
    ]
    pipeline = catalog.runs.pipeline("train")
    assert pipeline is not None
    assert catalog.runs.count(pipeline.id, {"pipeline": "train", "status": "completed"}) == 1
    assert catalog.runs.list(pipeline.id + 1, {"status": "failed", "name": "iris-run"}, any_of=True) == []


@pytest.mark.parametrize("where", [{"metadata.n": "gte:100"}, {"tag": "even"}, {"tag": "notequals:even"}], ids=str)
def test_many_matches_are_found_as_few_are(
    where: dict[str, str], catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ways lead to the versions with a number or a tag; both find the same."""
    for number in range(20):
        version = save(catalog, "iris", metadata={"n": number}, tags=["odd" if number % 2 else "even"])
        catalog.metadata.set(version.id, {"n": number * 10})
    few = catalog.versions.list(where=where)
    monkeypatch.setattr("artfs.catalog.versions._RARE", 3)
    assert catalog.versions.list(where=where) == few
    assert len(few) == 10
