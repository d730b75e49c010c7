"""An older catalog is brought up to this release, step by step."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from artfs.catalog import Catalog
from artfs.catalog.engine import Engine
from artfs.catalog.migrations import Step, current, migrate
from artfs.catalog.schema import statements
from artfs.catalog.sqlite import SQLITE, SQLiteEngine
from artfs.catalog.tables import SCHEMA_VERSION, TABLES
from support.catalogs import save

FROZEN = sorted(Path(__file__).parent.glob("schema_*.sql"))


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


def test_only_missing_steps_are_applied_and_in_order(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        version = save(catalog, "iris")
        for _ in range(2):
            migrate(catalog.engine, [_rename, _add], target=_rename.version)
            assert current(catalog.engine) == _rename.version
            assert catalog.engine.query("SELECT mood FROM artifact") == [("calm",)]
        assert catalog.versions.by_id(version.id) == version
        assert _versions(catalog.engine) == [SCHEMA_VERSION, _add.version, _rename.version]


def test_a_target_before_the_last_step_is_where_it_ends(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        migrate(catalog.engine, [_add, _rename], target=_add.version)
        assert catalog.engine.query("SELECT temper FROM artifact") == []
        assert current(catalog.engine) == _add.version


def test_a_step_that_fails_leaves_the_version_before_it(catalog_path: Path) -> None:
    def fail(engine: Engine) -> None:
        engine.execute("ALTER TABLE artifact ADD COLUMN half TEXT")
        raise RuntimeError("on purpose")

    with Catalog.open(catalog_path) as catalog:
        before = _schema(catalog.engine)
        with pytest.raises(RuntimeError, match="on purpose"):
            migrate(catalog.engine, [Step(SCHEMA_VERSION + 1, fail)], target=SCHEMA_VERSION + 1)
        assert _schema(catalog.engine) == before
        assert current(catalog.engine) == SCHEMA_VERSION


def test_a_kill_within_a_step_leaves_the_version_before_it(catalog_path: Path) -> None:
    Catalog.open(catalog_path).close()
    child = os.fork()
    if child == 0:
        engine = SQLiteEngine(catalog_path)
        migrate(engine, [_add, _killed], target=_killed.version)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    engine = SQLiteEngine(catalog_path)
    assert _versions(engine) == [SCHEMA_VERSION, _add.version]
    assert "half" not in "".join(_schema(engine).values())
    migrate(engine, [_add, _rename], target=_rename.version)
    assert current(engine) == _rename.version
    engine.close()


def _add_mood(engine: Engine) -> None:
    engine.execute("ALTER TABLE artifact ADD COLUMN temper TEXT NOT NULL DEFAULT 'calm'")


def _rename_mood(engine: Engine) -> None:
    engine.execute("ALTER TABLE artifact RENAME COLUMN temper TO mood")


def _kill(engine: Engine) -> None:
    engine.execute("ALTER TABLE artifact ADD COLUMN half TEXT")
    os.kill(os.getpid(), signal.SIGKILL)


_add = Step(SCHEMA_VERSION + 1, _add_mood)
_rename = Step(SCHEMA_VERSION + 2, _rename_mood)
_killed = Step(SCHEMA_VERSION + 2, _kill)


def _versions(engine: Engine) -> list[int]:
    return [row[0] for row in engine.query("SELECT version FROM schema_version ORDER BY version")]


def _schema(engine: Engine) -> dict[str, str]:
    """The DDL of everything, by name, however it is laid out."""
    rows = engine.query("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return {name: " ".join(sql.split()) for name, sql in rows}
