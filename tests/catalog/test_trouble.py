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
from artfs.catalog.engines.sqlite import SQLiteEngine
from artfs.errors import CatalogBusy, CatalogError
from support.catalogs import save


def test_a_full_disk_is_said_to_be_one_and_nothing_is_hurt(embedded: Catalog) -> None:
    version = save(embedded, "iris", b"content")
    (pages,) = embedded.engine.one("PRAGMA page_count") or (0,)
    embedded.engine.query(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(OSError, match="No space left") as full:
        save(embedded, "iris", {b"%d" % number: b"%d" % number for number in range(5000)})
    assert full.value.errno == errno.ENOSPC
    assert embedded.versions.list() == [version]
    embedded.engine.query("PRAGMA max_page_count = 1000000")
    assert save(embedded, "iris").number == 2


def test_a_catalog_that_is_held_for_too_long_says_so_and_can_be_read(embedded: Catalog, catalog_path: Path) -> None:
    version = save(embedded, "iris")
    embedded.engine.query("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(catalog_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CatalogBusy, match="another process holds it") as busy:
        save(embedded, "iris")
    assert "\n" not in str(busy.value)
    assert embedded.versions.latest(version.artifact_id) == version
    other.execute("ROLLBACK")
    other.close()
    assert save(embedded, "iris").number == 2


def test_a_thread_that_ends_leaves_no_connection_behind(embedded: Catalog) -> None:
    def open_files() -> int:
        return sum(
            1 for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and "embedded.db" in _target(link)
        )

    embedded.artifacts.names()
    before = open_files()
    for _ in range(10):
        thread = threading.Thread(target=embedded.artifacts.names)
        thread.start()
        thread.join()
    gc.collect()
    # SQLite closes a file a little later when another connection has a lock on it.
    assert open_files() <= before + 2


def test_an_interrupt_while_another_process_writes_leaves_the_catalog_free(
    embedded: Catalog, catalog_path: Path
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
    with pytest.raises(KeyboardInterrupt), embedded.transaction():
        raise AssertionError("the block runs although it was interrupted")
    thread.join()
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()
    assert save(embedded, "iris").number == 1


def test_an_interrupt_just_after_a_block_was_released_is_raised_and_undoes_all_around_it(
    embedded: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = SQLiteEngine.execute

    def interrupted(engine: SQLiteEngine, sql: str, *parameters: Any) -> int:
        changed = execute(engine, sql, *parameters)
        if sql == "RELEASE s1":
            raise KeyboardInterrupt
        return changed

    monkeypatch.setattr(SQLiteEngine, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt), embedded.transaction(), embedded.transaction():
        embedded.artifacts.ensure("inner")
    with (
        pytest.raises(CatalogError, match="a part of this transaction failed"),
        embedded.transaction(),
        contextlib.suppress(KeyboardInterrupt),
        embedded.transaction(),
    ):
        embedded.artifacts.ensure("inner")
    assert embedded.artifacts.names() == []


def test_a_part_that_failed_undoes_its_transaction_whatever_is_caught_on_the_way(embedded: Catalog) -> None:
    with pytest.raises(CatalogError, match="a part of this transaction failed"), embedded.transaction():
        embedded.artifacts.ensure("half")
        with contextlib.suppress(ZeroDivisionError), embedded.engine.joined():
            raise ZeroDivisionError
        with embedded.transaction():
            embedded.artifacts.ensure("a block of its own")
    assert embedded.artifacts.names() == []


def test_a_part_that_failed_undoes_only_the_block_that_it_is_in(embedded: Catalog) -> None:
    with embedded.transaction():
        embedded.artifacts.ensure("outer")
        with contextlib.suppress(ZeroDivisionError), embedded.transaction():
            embedded.artifacts.ensure("inner")
            with embedded.engine.joined():
                raise ZeroDivisionError
    assert embedded.artifacts.names() == ["outer"]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
