"""An older catalog is brought up to this release, or left as it was."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog import Catalog
from artfs.catalog.engine import Engine
from artfs.catalog.engines.sqlite import SQLITE, SQLiteEngine
from artfs.catalog.schema import SCHEMA_VERSION, TABLES, statements
from artfs.catalog.schema import migrations as steps
from artfs.catalog.schema.growth import differences
from artfs.catalog.schema.migrations import Migration, bring_up, current, migrate
from artfs.errors import CatalogCorrupt
from support.catalogs import save
from support.forks import forked, was_killed
from support.older import SCHEMAS, older_home

FROZEN = sorted(Path(__file__).parent.glob("schema_*.sql"))
_OF_CONTENTS = {("visualization", column) for column in ("path", "digest", "size")}
CHANGED = {("store", "options"), ("tree_entry", "inode"), *_OF_CONTENTS}
"""Columns whose values a migration changes, or drops."""


@pytest.fixture(params=SCHEMAS)
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A catalog with rows in it, made by an older release."""
    return older_home(request.param, tmp_path) / "catalog.db"


def test_the_schema_of_this_version_is_written_down() -> None:
    """A changed schema is a new version with a step that leads to it; catalogs of the old one are out there.

    Then write the new one down: `python tests/catalog/write_schema.py`.
    """
    frozen = Path(__file__).parent / f"schema_{SCHEMA_VERSION}.sql"
    assert frozen.read_text() == "".join(f"{statement};\n" for statement in statements(SQLITE, TABLES))


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda path: path.stem)
def test_every_schema_there_ever_was_becomes_that_of_this_release(frozen: Path, catalog_path: Path) -> None:
    connection = sqlite3.connect(catalog_path)
    connection.executescript(frozen.read_text())
    connection.execute("INSERT INTO schema_version VALUES (?, 0)", (int(frozen.stem.removeprefix("schema_")),))
    connection.commit()
    connection.close()
    with Catalog.open(catalog_path) as old, Catalog.open(catalog_path.with_name("new.db")) as new:
        assert _schema(old.engine) == _schema(new.engine)
        save(old, "iris")


def test_no_row_and_no_value_of_an_older_catalog_is_lost(older: Path) -> None:
    before = _rows(older)
    with Catalog.open(older) as catalog:
        assert catalog.check() == []
        assert current(catalog.engine) == SCHEMA_VERSION
        assert differences(catalog.engine, TABLES) == []
    after = _rows(older)
    assert sum(map(len, before.values())) > 60
    for table, rows in before.items():
        for row, now in zip(rows, after[table], strict=False):
            same = {column: now.get(column) for column in row if (table, column) not in CHANGED}
            assert same == {column: value for column, value in row.items() if (table, column) not in CHANGED}
        added = SCHEMA_VERSION - rows[-1]["version"] if table == "schema_version" else 0
        if table in ("blob", "blob_place"):  # what showed a version is a content like others
            known = {row.get("digest") for row in before["blob"]}
            added = len({row["digest"] for row in before["visualization"]} - known)
        assert len(after[table]) == len(rows) + added


def test_an_older_catalog_goes_on(older: Path) -> None:
    with Catalog.open(older) as catalog:
        numbers = catalog.artifacts.get("numbers")
        assert numbers is not None
        newest = catalog.versions.latest(numbers.id)
        assert newest is not None
        assert newest == catalog.versions.by_tag(numbers.id, "newest")
        assert (newest.name, newest.machine_id, newest.self_contained) == ("3", None, True)
        for version in catalog.versions.list():
            assert version.tree_id is not None
            assert catalog.trees.load(version.tree_id).digest == version.digest
        assert catalog.audit.verify() is None
        catalog.audit.append("tag.add", "numbers@3")
        catalog.audit.append("tag.add", "numbers@3")
        assert catalog.audit.verify() is None
        assert save(catalog, "numbers", b"4").name == "4"
        assert catalog.identity.changes() == 7


def test_a_changed_row_of_the_older_audit_log_is_noticed(older: Path) -> None:
    with Catalog.open(older) as catalog:
        catalog.audit.append("tag.add", "numbers@3")
        catalog.engine.execute("UPDATE audit SET subject = 'changed' WHERE id = 2")
        assert catalog.audit.verify() == 2


def test_times_that_were_logged_are_found_as_times(older: Path) -> None:
    with Catalog.open(older) as catalog:
        rows = catalog.engine.query("SELECT text, time_us FROM version_meta WHERE time_us IS NOT NULL")
        assert rows == [("2026-01-02T03:04:05.678901+00:00", 1767323045678901)]


def test_what_showed_a_version_is_a_content_like_others(older: Path) -> None:
    before = _rows(older)["visualization"]
    with Catalog.open(older) as catalog:
        assert before
        for row in before:
            [shown] = catalog.visualizations.list(row["version_id"])
            assert (shown.name, shown.kind, shown.digest, shown.size) == (
                row["name"],
                row["kind"],
                row["digest"],
                row["size"],
            )
            assert row["path"] in {place.path for place in catalog.blobs.places(shown.blob_id)}


def test_the_mark_of_a_store_becomes_its_layout(older: Path) -> None:
    with sqlite3.connect(older) as connection:
        connection.execute("""UPDATE store SET options = '{"artfs.marked": true, "x": "1"}' WHERE name = 'disk'""")
    connection.close()
    with Catalog.open(older) as catalog:
        marked, unmarked = catalog.stores.get("disk"), catalog.stores.get("default")
        assert marked is not None
        assert unmarked is not None
        assert (marked.layout, marked.options, marked.marked) == ("plain", {"x": "1"}, True)
        assert (unmarked.layout, unmarked.marked) == (None, False)


def test_versions_stay_in_order_though_a_clock_was_set_back(older: Path) -> None:
    with sqlite3.connect(older) as connection:
        connection.execute("UPDATE version SET created_us = created_us - 86400000000 WHERE name = '3'")
    connection.close()
    with Catalog.open(older) as catalog:
        numbers = catalog.artifacts.get("numbers")
        assert numbers is not None
        assert [name for name, _ in catalog.versions.names(numbers.id)] == ["1", "3"]
        newest = catalog.versions.by_tag(numbers.id, "newest")
        assert newest is not None
        assert newest.name == "3"


def test_a_copy_of_the_older_catalog_is_kept_beside_it(older: Path) -> None:
    before = _rows(older)
    os.chmod(older, 0o600)
    Catalog.open(older).close()
    [copy] = older.parent.glob("catalog-before-3-*.db")
    assert _rows(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    shutil.move(copy, older)
    assert _rows(older) == before
    Catalog.open(older).close()


def test_a_new_catalog_has_no_copy_beside_it(catalog_path: Path) -> None:
    Catalog.open(catalog_path).close()
    assert not list(catalog_path.parent.glob("catalog-before*"))


@pytest.mark.parametrize("failure", [OSError("on purpose"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_an_error_leaves_an_older_catalog_as_it_was(
    failure: BaseException, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(engine: Engine, before: dict[str, int]) -> None:
        raise failure

    before = _dump(older)
    with monkeypatch.context() as patched:
        patched.setattr(steps, "_check", fail)
        with pytest.raises(type(failure)):
            Catalog.open(older)
    assert _dump(older) == before
    assert not list(older.parent.glob("catalog-before*"))
    Catalog.open(older).close()


def test_a_damaged_older_catalog_is_left_as_it_was(older: Path) -> None:
    with sqlite3.connect(older) as connection:
        connection.execute("INSERT INTO pin (version_id, reason, created_us) VALUES (77, 'x', 0)")
    connection.close()
    before = _dump(older)
    with pytest.raises(CatalogCorrupt, match=r"cannot be brought to schema 3 \(pin row 77 refers to no version\)"):
        Catalog.open(older)
    assert _dump(older) == before


def _bring_up_and_die(path: Path, at: int) -> None:
    _kill_at(at)
    bring_up(SQLiteEngine(path))


def test_a_kill_at_any_statement_leaves_an_older_catalog_as_it_was(older: Path) -> None:
    before, done = _dump(older), 0
    while True:
        if not was_killed(forked(partial(_bring_up_and_die, older, done))):
            break
        assert _dump(older) == before, done
        done += 3
    assert done > 60
    with Catalog.open(older) as catalog:
        assert catalog.check() == []


def test_only_missing_steps_are_applied_and_in_order(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        version = save(catalog, "iris")
        for _ in range(2):
            migrate(catalog.engine, [_rename, _add], target=_rename.version)
            assert current(catalog.engine) == _rename.version
            assert catalog.engine.query("SELECT mood FROM artifact") == [("calm",)]
        assert catalog.versions.by_id(version.id) == version
        rows = catalog.engine.query("SELECT version FROM schema_version ORDER BY version")
        assert [row[0] for row in rows] == [SCHEMA_VERSION, _add.version, _rename.version]


def test_a_target_before_the_last_step_is_where_it_ends(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        migrate(catalog.engine, [_add, _rename], target=_add.version)
        assert catalog.engine.query("SELECT temper FROM artifact") == []
        assert current(catalog.engine) == _add.version


def _add_mood(engine: Engine) -> None:
    engine.execute("ALTER TABLE artifact ADD COLUMN temper TEXT NOT NULL DEFAULT 'calm'")


def _rename_mood(engine: Engine) -> None:
    engine.execute("ALTER TABLE artifact RENAME COLUMN temper TO mood")


_add = Migration(SCHEMA_VERSION + 1, _add_mood)
_rename = Migration(SCHEMA_VERSION + 2, _rename_mood)


def _kill_at(statement: int) -> None:
    """Let this process be killed before it runs the statement of that number that changes something."""
    execute, count = SQLiteEngine.execute, iter(range(10**6))

    def killing(self: SQLiteEngine, *arguments: Any) -> int:
        if next(count) == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, *arguments)

    SQLiteEngine.execute = killing  # type: ignore[method-assign]


def _rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, by name of the table, in the order of their ids or keys."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid')]
        for name in names
        if not name.startswith("sqlite_")
    }
    connection.close()
    return found


def _dump(path: Path) -> list[str]:
    """Everything in a catalog, its schema too, as SQL."""
    connection = sqlite3.connect(path)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def _schema(engine: Engine) -> dict[str, str]:
    """The DDL of everything, by name, however it is laid out."""
    rows = engine.query("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return {name: "".join(sql.split()) for name, sql in rows}
