"""What only a catalog that several machines share can show."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog import Catalog
from artfs.catalog.engines import postgres
from artfs.catalog.engines.postgres import PostgresEngine
from artfs.catalog.engines.spelling import spelled
from artfs.catalog.machines import Machine
from artfs.catalog.schema import SCHEMA_VERSION, TABLES
from artfs.content.digest import hash_bytes
from artfs.errors import CatalogBusy, CatalogMissing, InvalidValue
from support.catalogs import places_for, save, tree_with
from support.forks import forked, was_killed
from support.questions import QUESTIONS

KEY = hash_bytes(b"key")


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_can_be_asked(question: str, shared: str) -> None:
    with Catalog.open(shared) as catalog:
        save(catalog, "iris", b"content", tags=["prod"], metadata={"n": 1})
        catalog.steps.create(catalog.runs.create("pipeline", "run").id, "step")
        QUESTIONS[question](catalog)


def test_it_has_all_tables_but_those_of_one_machine(shared: str) -> None:
    with Catalog.open(shared) as catalog:
        assert catalog.engine.tables() == {table.name.strip('"') for table in TABLES if table.shared}
        assert catalog.engine.query("SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]
        assert catalog.unsynced.count() == 0
        assert catalog.unsynced.get(1) is None
        assert not catalog.unsynced.any_from_earlier_boots()


def test_none_is_made_where_one_is_expected(database: str) -> None:
    with pytest.raises(CatalogMissing):
        Catalog.open(database, begin=False)
    engine = PostgresEngine(database)
    assert engine.tables() == set()
    engine.close()


def test_several_that_begin_at_once_make_one(database: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        catalogs = list(threads.map(lambda _: Catalog.open(database), range(8)))
    assert len({catalog.identity.uuid for catalog in catalogs}) == 1
    for catalog in catalogs:
        catalog.close()


def test_savers_at_once_get_different_numbers_in_the_order_of_their_times(shared: str) -> None:
    with Catalog.open(shared) as one, Catalog.open(shared) as other, ThreadPoolExecutor(8) as threads:

        def saved(number: int) -> int | None:
            return save((one, other)[number % 2], "iris", str(number).encode()).number

        assert sorted(threads.map(saved, range(40))) == list(range(1, 41))  # type: ignore[type-var]
        versions = one.versions.list()
        assert [version.number for version in versions] == list(range(1, 41))
        assert [version.id for version in versions] == sorted(version.id for version in versions)


def test_another_commit_changes_the_stamp_and_reading_does_not(shared: str) -> None:
    with Catalog.open(shared) as one, Catalog.open(shared) as other:
        before = one.stamp()
        one.artifacts.names()
        assert one.stamp() == before
        other.artifacts.ensure("iris")
        assert one.stamp() != before


def test_what_another_machine_has_staged_is_no_hit_here(shared: str) -> None:
    here, there = (Machine(uuid, "host", "/home/artfs") for uuid in ("a", "b"))
    tree = tree_with({b"a": b"1"})
    with Catalog.open(shared, machine=here) as one, Catalog.open(shared, machine=there) as other:
        step = one.steps.create(one.runs.create("train", "one").id, "fit", cache_key=KEY)
        places = places_for(tree, "u", state="staged")
        model = save(one, "model", tree, state="staged", places=places, producer_id=step.id)
        one.steps.add_output(step.id, "model", model.id)
        one.steps.finish(step.id, "completed")
        assert one.steps.find_cached(KEY) is not None
        assert other.steps.find_cached(KEY) is None
        one.versions.set_state(model.id, "live")
        assert other.steps.find_cached(KEY) is not None


def test_a_forked_child_has_connections_of_its_own(shared: str) -> None:
    with Catalog.open(shared) as catalog:
        with catalog.transaction():
            catalog.artifacts.ensure("parent")
            assert not was_killed(forked(partial(_has_no_artifacts, catalog)))
        assert catalog.artifacts.names() == ["parent"]


def _has_no_artifacts(catalog: Catalog) -> None:
    assert catalog.artifacts.names() == []


def test_a_writer_that_waits_too_long_is_told(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 1.0)
    with Catalog.open(shared) as one, Catalog.open(shared) as other:
        with one.transaction(), pytest.raises(CatalogBusy, match="try again"):
            other.artifacts.ensure("iris")
            with other.transaction():
                raise AssertionError("two may write at once")
        assert one.artifacts.names() == ["iris"]


def test_a_server_that_is_gone_is_an_error_in_words(shared: str) -> None:
    nowhere = shared.replace("artfs-pg-", "artfs-none-").replace("artfs@", "artfs:secret@")
    with pytest.raises(OSError, match="the catalog does not answer") as caught:
        Catalog.open(nowhere)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\0b", "\udc80"])
def test_what_no_column_can_hold_is_refused(value: str, shared: str) -> None:
    with Catalog.open(shared) as catalog, pytest.raises(InvalidValue):
        catalog.artifacts.get(value)


def test_it_is_backed_up_by_its_server(shared: str, tmp_path: Path) -> None:
    with Catalog.open(shared) as catalog, pytest.raises(InvalidValue, match="pg_dump"):
        catalog.back_up(tmp_path / "copy.db")
    assert list(tmp_path.glob("copy.db")) == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :a, ':b', \"c:d\", x::text", "SELECT %(a)s, ':b', \"c:d\", x::text"),
        ("a LIKE '%' || :p AND b % 2 = 0", "a LIKE '%%' || %(p)s AND b %% 2 = 0"),
        ("SELECT 'it''s :x' WHERE n = :n1", "SELECT 'it''s :x' WHERE n = %(n1)s"),
    ],
)
def test_parameters_are_spelled_as_psycopg_wants_them(sql: str, expected: str) -> None:
    assert spelled(sql) == expected


def test_an_answer_does_not_depend_on_the_engine(shared: str, catalog_path: Path) -> None:
    """Order of texts, of what has no value, and of equal times is the same on both."""
    answers = []
    for url in (shared, str(catalog_path)):
        with Catalog.open(url) as catalog:
            for number, name in enumerate(("b", "A", "ä", "a", "Z", "_", "10", "9")):
                metadata: dict[str, Any] = {"text": name} if number % 3 else {"number": number}
                save(catalog, name, name.encode(), metadata=metadata)
            asked: list[Callable[[Catalog], list[str]]] = [
                lambda c: c.artifacts.names(),
                lambda c: [each.name for each in c.artifacts.list(sort="desc:name")],
                lambda c: [each.artifact for each in c.versions.list(sort="asc:metadata.text")],
                lambda c: [each.artifact for each in c.versions.list(sort="desc:metadata.number")],
                lambda c: [each.artifact for each in c.versions.list(sort="materializer")],
                lambda c: [each.artifact for each in c.versions.list(None, {"metadata.text": "gt:Z"})],
                lambda c: [each.artifact for each in c.versions.list(None, {"artifact": "contains:a"})],
            ]
            answers.append([ask(catalog) for ask in asked])
    assert answers[0] == answers[1]
