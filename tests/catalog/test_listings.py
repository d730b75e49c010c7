"""What directories of a mount hold is read in pieces, each after the last row of the one before, in every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol

from artfs.catalog import Catalog
from artfs.catalog.engines.sqlite import SQLiteEngine
from support.catalogs import save


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


def test_versions_come_in_the_order_of_their_times(catalog: Catalog) -> None:
    ids = [save(catalog, "iris", b"%d" % number).id for number in range(7)]
    save(catalog, "other")
    for version_id, time in zip(ids, [70, 10, 30, 30, 30, 20, 90], strict=True):
        catalog.engine.execute("UPDATE version SET created_us = :time WHERE id = :id", {"time": time, "id": version_id})
    catalog.versions.purge(ids[2], "test")
    expected = [version.id for version in catalog.versions.list(1)]
    assert expected == [ids[at] for at in (1, 5, 3, 4, 0, 6)]
    for size in range(1, 8):
        assert _all(lambda after, most: catalog.listings.versions(1, after, most), size) == expected
    assert [version.id for version in catalog.listings.versions(1, ids[2], 9)] == expected[2:], "after a purged one"
    assert catalog.listings.version_ids(1) == [ids[at] for at in (1, 5, 2, 3, 4, 0, 6)]


def test_runs_come_in_the_order_of_their_times_also_after_one_that_was_deleted(catalog: Catalog) -> None:
    ids = [catalog.runs.create("training", str(number)).id for number in range(6)]
    catalog.runs.create("other", "run")
    for run_id, time in zip(ids, [10, 20, 20, 50, 40, 60], strict=True):
        catalog.engine.execute("UPDATE run SET started_us = :time WHERE id = :id", {"time": time, "id": run_id})
    expected = [ids[at] for at in (0, 1, 2, 4, 3, 5)]
    for size in range(1, 7):
        assert _all(lambda after, most: catalog.listings.runs(1, after, most), size) == expected
    catalog.runs.delete(ids[2])
    assert [run.id for run in catalog.listings.runs(1, ids[2], 9)] == expected[3:]
    catalog.runs.delete(ids[4])
    assert [run.id for run in catalog.listings.runs(1, ids[4], 9, after_us=40)] == [ids[3], ids[5]]


def test_steps_come_in_the_order_in_which_they_began(catalog: Catalog) -> None:
    """Pods of one run may not be given ids in that order."""
    run = catalog.runs.create("training", "run")
    ids = [
        catalog.steps.create(run.id, name, started_us=time).id
        for name, time in zip("abcd", [30, 10, 20, 20], strict=True)
    ]
    expected = [ids[at] for at in (1, 2, 3, 0)]
    assert catalog.listings.step_ids(run.id) == expected
    assert [step.id for step in catalog.steps.list(run.id)] == expected
    assert [step.id for step in catalog.lineage.steps_of_run(run.id)] == expected


def test_versions_with_a_tag_come_in_the_order_of_their_times(catalog: Catalog) -> None:
    ids = [save(catalog, name, b"%d" % number).id for number, name in enumerate("abab")]
    for version_id, time in zip(ids, [40, 10, 30, 20], strict=True):
        catalog.engine.execute("UPDATE version SET created_us = :time WHERE id = :id", {"time": time, "id": version_id})
        catalog.tags.add(version_id, "best")
    tag = catalog.tags.get("best")
    assert tag is not None
    expected = list(catalog.tags.version_ids("best"))
    assert expected == [ids[at] for at in (1, 3, 2, 0)]
    assert [*catalog.listings.tagged(tag.id, 0, 2), *catalog.listings.tagged(tag.id, ids[3], 9)] == expected
    catalog.tags.remove(ids[3], "best")
    assert catalog.listings.tagged(tag.id, ids[3], 9) == expected[2:], "after one that lost the tag meanwhile"
    assert catalog.listings.is_tagged(tag.id, ids[0])
    assert not catalog.listings.is_tagged(tag.id, ids[3])
    assert [row.name for row in catalog.listings.tags(0, 9)] == ["best"]
    assert catalog.listings.is_carried(tag.id)
    for version_id in (ids[0], ids[1], ids[2]):
        catalog.tags.remove(version_id, "best")
    assert catalog.listings.tags(0, 9) == []
    assert not catalog.listings.is_carried(tag.id)


def test_what_is_newest_follows_times(catalog: Catalog) -> None:
    first, second = save(catalog, "iris", b"1"), save(catalog, "iris", b"2")
    catalog.engine.execute("UPDATE version SET created_us = created_us + 1000000000 WHERE id = :id", {"id": first.id})
    for version in (first, second):
        catalog.tags.add(version.id, "best")
    newest = catalog.versions.latest(1)
    assert newest is not None and newest.id == first.id
    assert [(found.tag, found.version) for found in catalog.listings.newest_tagged(1)] == [("best", first.name)]
    (artifact,) = catalog.listings.artifacts(0, 9)
    assert artifact.changed_us == newest.created_us
    assert catalog.listings.newest_artifact_us() == artifact.created_us
    early, late = (catalog.runs.create("training", name) for name in ("early", "late"))
    catalog.engine.execute("UPDATE run SET started_us = started_us + 1000000000 WHERE id = :id", {"id": early.id})
    (pipeline,) = catalog.listings.pipelines(0, 9)
    run = catalog.runs.latest(1)
    assert run is not None and run.id == early.id
    assert pipeline.changed_us == run.started_us > late.started_us


def test_names_are_listed_in_pieces(catalog: Catalog) -> None:
    assert catalog.listings.newest_artifact_us() is None
    names = [f"a{number}" for number in range(5)]
    for name in names:
        catalog.artifacts.ensure(name)
        catalog.runs.create(name, "run")
    version = save(catalog, "carries tags")
    catalog.tags.add(version.id, *names)
    for read in (catalog.listings.artifacts, catalog.listings.tags, catalog.listings.pipelines):
        assert len(set(_all(read, 2))) == len(read(0, 9))
        assert [row.name for row in read(0, len(names))] == names
    catalog.artifacts.delete(2)
    assert [row.name for row in catalog.listings.artifacts(1, 9)] == [*names[2:], "carries tags"]


def test_a_piece_is_one_step_of_the_database_however_many_rows_it_has(embedded: Catalog) -> None:
    """Python lets go of the interpreter for each step, and the event loop gets it back when other threads let it."""
    for number in range(9):
        embedded.runs.create("training", str(number))
        save(embedded, "iris", b"%d" % number)
        embedded.artifacts.ensure(str(number))
    rows = 0

    def made(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> tuple[object, ...]:
        nonlocal rows
        rows += 1
        return row

    assert isinstance(embedded.engine, SQLiteEngine)
    with embedded.engine.utilities() as database:
        database.conn.row_factory = made
    listings = embedded.listings
    pieces = [listings.artifacts(0, 99), listings.versions(1, 0, 99), listings.runs(1, 0, 99)]
    assert [len(piece) for piece in pieces] == [10, 9, 9]
    assert rows == len(pieces)


def _all(read: Callable[[int, int], Sequence[_HasId]], size: int) -> list[int]:
    """The ids of all rows, read so many at a time."""
    found: list[int] = []
    while piece := read(found[-1] if found else 0, size):
        found += [row.id for row in piece]
    return found
