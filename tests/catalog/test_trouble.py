"""A full disk, a catalog that is held by another process: said in the words of the system, and nothing is hurt."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog import Catalog
from artfs.catalog.sqlite import SQLiteEngine
from artfs.errors import CatalogBusy, CatalogError
from support.catalogs import save


def test_a_full_disk_is_said_to_be_one_and_nothing_is_hurt(catalog: Catalog) -> None:
    version = save(catalog, "iris", b"content")
    (pages,) = catalog.engine.one("PRAGMA page_count") or (0,)
    catalog.engine.query(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(OSError, match="No space left") as full:
        save(catalog, "iris", {b"%d" % number: b"%d" % number for number in range(5000)})
    assert full.value.errno == errno.ENOSPC
    assert catalog.versions.list() == [version]
    catalog.engine.query("PRAGMA max_page_count = 1000000")
    assert save(catalog, "iris").number == 2


def test_a_catalog_that_is_held_for_too_long_says_so_and_can_be_read(catalog: Catalog, catalog_path: Path) -> None:
    version = save(catalog, "iris")
    catalog.engine.query("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(catalog_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CatalogBusy, match="another process holds it") as busy:
        save(catalog, "iris")
    assert "\n" not in str(busy.value)
    assert catalog.versions.latest(version.artifact_id) == version
    other.execute("ROLLBACK")
    other.close()
    assert save(catalog, "iris").number == 2


def test_a_thread_that_ends_leaves_no_connection_behind(catalog: Catalog) -> None:
    def open_files() -> int:
        return sum(1 for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and "catalog.db" in _target(link))

    catalog.artifacts.names()
    before = open_files()
    for _ in range(10):
        thread = threading.Thread(target=catalog.artifacts.names)
        thread.start()
        thread.join()
    gc.collect()
    # SQLite closes a file a little later when another connection has a lock on it.
    assert open_files() <= before + 2


def test_an_interrupt_while_another_process_writes_leaves_the_catalog_free(
    catalog: Catalog, catalog_path: Path
) -> None:
    """Ctrl-C in a notebook, which goes on afterwards."""
    other = sqlite3.connect(catalog_path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    interrupted = threading.Event()

    def interrupt_then_let_go() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait(0.2)  # the signal is noted, and is raised when SQLite has got the lock
        other.execute("ROLLBACK")

    thread = threading.Timer(0.2, interrupt_then_let_go)
    thread.start()
    with pytest.raises(KeyboardInterrupt), catalog.transaction():
        raise AssertionError("the block runs although it was interrupted")
    thread.join()
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()
    assert save(catalog, "iris").number == 1


def test_an_interrupt_just_after_a_block_was_released_is_raised_and_undoes_all_around_it(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = SQLiteEngine.execute

    def interrupted(engine: SQLiteEngine, sql: str, *parameters: Any) -> int:
        changed = execute(engine, sql, *parameters)
        if sql == "RELEASE s1":
            raise KeyboardInterrupt
        return changed

    monkeypatch.setattr(SQLiteEngine, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt), catalog.transaction(), catalog.transaction():
        catalog.artifacts.ensure("inner")
    with (
        pytest.raises(CatalogError, match="a part of this transaction failed"),
        catalog.transaction(),
        contextlib.suppress(KeyboardInterrupt),
        catalog.transaction(),
    ):
        catalog.artifacts.ensure("inner")
    assert catalog.artifacts.names() == []


def test_a_part_that_failed_undoes_its_transaction_whatever_is_caught_on_the_way(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="a part of this transaction failed"), catalog.transaction():
        catalog.artifacts.ensure("half")
        with contextlib.suppress(ZeroDivisionError), catalog.engine.joined():
            raise ZeroDivisionError
        with catalog.transaction():
            catalog.artifacts.ensure("a block of its own")
    assert catalog.artifacts.names() == []


def test_a_part_that_failed_undoes_only_the_block_that_it_is_in(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.artifacts.ensure("outer")
        with contextlib.suppress(ZeroDivisionError), catalog.transaction():
            catalog.artifacts.ensure("inner")
            with catalog.engine.joined():
                raise ZeroDivisionError
    assert catalog.artifacts.names() == ["outer"]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
