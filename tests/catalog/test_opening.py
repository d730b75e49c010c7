"""Opening a catalog: new, old, newer, damaged, and by many at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artfs.catalog import Catalog
from artfs.catalog.schema import SCHEMA_VERSION
from artfs.errors import CatalogCorrupt, CatalogError, CatalogTooNew
from support.catalogs import save


def test_a_catalog_is_there_again_when_opened_again(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        version = save(catalog, "iris")
    with Catalog.open(str(catalog_path)) as catalog:
        assert catalog.versions.latest(version.artifact_id) == version


def test_another_open_catalog_sees_a_version_at_once(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as one, Catalog.open(catalog_path) as other:
        assert other.artifacts.get("iris") is None
        version = save(one, "iris")
        assert other.versions.latest(version.artifact_id) == version


def test_eight_processes_open_a_new_catalog_at_once(catalog_path: Path) -> None:
    opened = _at_once(
        8, "with Catalog.open(path) as catalog: catalog.artifacts.ensure(f'by {os.getpid()}')", catalog_path
    )
    assert opened == [0] * 8
    with Catalog.open(catalog_path) as catalog:
        assert len(catalog.artifacts.names()) == 8
        assert catalog.engine.query("SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]
        assert catalog.check() == []


def test_a_kill_while_the_catalog_is_made_leaves_none_or_all_of_it(catalog_path: Path) -> None:
    with Catalog.open(catalog_path.with_name("whole.db")) as whole:
        expected = whole.engine.tables()
    statements = 0
    while True:
        path = catalog_path.with_name(f"{statements}.db")
        killed = _run(f"{_KILL_AT.format(statement=statements)}\nCatalog.open(path).close()", path)
        assert killed in (0, -signal.SIGKILL)
        with Catalog.open(path) as catalog:
            assert catalog.engine.tables() == expected
        if killed == 0:
            break
        # Every tenth statement: a catalog is made by a hundred of them.
        statements += 10
    assert statements > 50


def test_the_catalog_of_a_newer_release_is_refused_and_not_changed(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        catalog.engine.execute(
            "INSERT INTO schema_version (version, applied_us) VALUES (:version, 0)", {"version": SCHEMA_VERSION + 1}
        )
    before = catalog_path.read_bytes()
    with pytest.raises(CatalogTooNew, match="install a newer artfs") as refused:
        Catalog.open(catalog_path)
    assert str(catalog_path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert catalog_path.read_bytes() == before


@pytest.mark.parametrize("damage", ["garbage", "a page is garbage", "cut off"])
def test_a_damaged_catalog_is_refused_and_not_changed(catalog_path: Path, damage: str) -> None:
    with Catalog.open(catalog_path) as catalog:
        save(catalog, "iris")
    whole = catalog_path.read_bytes()
    damaged = {
        "garbage": b"this is not a catalog, it is a letter" * 200,
        "a page is garbage": whole[:4096] + b"\xff" * 4096 * 3 + whole[4096 * 4 :],
        "cut off": whole[: len(whole) // 2],
    }[damage]
    catalog_path.write_bytes(damaged)
    with pytest.raises(CatalogCorrupt, match="restore it from a backup") as refused:
        _read_all(catalog_path)
    assert "\n" not in str(refused.value)
    assert refused.value.subject == str(catalog_path)
    assert catalog_path.read_bytes() == damaged


def test_the_database_of_another_program_is_refused_and_not_changed(catalog_path: Path) -> None:
    connection = sqlite3.connect(catalog_path)
    connection.execute("CREATE TABLE mails (id INTEGER PRIMARY KEY)")
    connection.commit()
    connection.close()
    before = catalog_path.read_bytes()
    with pytest.raises(CatalogCorrupt, match="no catalog of artfs"):
        Catalog.open(catalog_path)
    assert catalog_path.read_bytes() == before


def test_an_empty_file_becomes_a_catalog(catalog_path: Path) -> None:
    catalog_path.touch()
    with Catalog.open(catalog_path) as catalog:
        save(catalog, "iris")


def test_a_path_that_cannot_be_a_catalog_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(CatalogCorrupt, match="is a directory"):
        Catalog.open(tmp_path)
    with pytest.raises(FileNotFoundError):
        Catalog.open(tmp_path / "missing" / "catalog.db")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Catalog.open(tmp_path / "file" / "catalog.db")


def test_a_closed_catalog_says_so(catalog_path: Path) -> None:
    catalog = Catalog.open(catalog_path)
    catalog.close()
    with pytest.raises(CatalogError, match="is closed"):
        catalog.artifacts.names()
    with pytest.raises(CatalogError, match="is closed"), catalog.transaction():
        pass
    catalog.close()


def test_threads_each_have_their_own_connection(embedded: Catalog) -> None:
    """What one thread has not committed is not seen by another, and is not lost by its end."""
    names: list[list[str]] = []
    with embedded.transaction():
        save(embedded, "iris")
        thread = threading.Thread(target=lambda: names.append(embedded.artifacts.names()))
        thread.start()
        thread.join()
    assert names == [[]]
    assert embedded.artifacts.names() == ["iris"]


def test_a_forked_child_uses_the_catalog_and_leaves_the_parent_alone(catalog_path: Path) -> None:
    """In a process of its own, as a test process has threads and should not fork."""
    code = """
catalog = Catalog.open(path)
with catalog.transaction():
    catalog.artifacts.ensure("before")
    child = os.fork()
    if child == 0:
        seen = catalog.artifacts.names()
        os._exit(len(seen))
    assert os.waitpid(child, 0)[1] == 0, "the child sees only what is committed"
child = os.fork()
if child == 0:
    catalog.artifacts.ensure("by the child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
catalog.artifacts.ensure("after")
assert catalog.artifacts.names() == ["after", "before", "by the child"]
assert catalog.check() == []
"""
    assert _run(code, catalog_path) == 0


def test_closing_leaves_another_thread_the_statements_it_is_at(catalog_path: Path) -> None:
    catalog = Catalog.open(catalog_path)
    began, closed = threading.Event(), threading.Event()

    def save_slowly() -> None:
        with catalog.transaction():
            began.set()
            assert closed.wait(60)
            save(catalog, "iris")

    with ThreadPoolExecutor(1) as thread:
        saved = thread.submit(save_slowly)
        assert began.wait(60)
        catalog.close()
        closed.set()
        saved.result()
        with pytest.raises(CatalogError, match="is closed"):
            thread.submit(catalog.versions.list).result()
    with Catalog.open(catalog_path) as again:
        assert [version.number for version in again.versions.list()] == [1]


def test_what_a_forked_child_commits_is_there_also_when_its_parent_closed_the_catalog_before(
    catalog_path: Path,
) -> None:
    """The last one to close a catalog removes its log: the parent must know that the child has it open."""
    code = """
catalog = Catalog.open(path)
catalog.artifacts.ensure("before")
parent_closed, tell = os.pipe()
child = os.fork()
if child == 0:
    os.close(tell)
    catalog.artifacts.ensure("by the child")
    os.read(parent_closed, 1)
    catalog.artifacts.ensure("by the child, later")
    os.kill(os.getpid(), signal.SIGKILL)
while catalog.artifacts.names() != ["before", "by the child"]:
    pass
catalog.close()
os.close(tell)
os.waitpid(child, 0)
with Catalog.open(path) as again:
    assert again.artifacts.names() == ["before", "by the child", "by the child, later"]
    assert again.check() == []
"""
    assert _run(code, catalog_path) == 0


def test_a_fork_waits_for_other_threads_and_they_go_on_after_it(catalog_path: Path) -> None:
    code = """
import threading
catalog = Catalog.open(path)
stop = threading.Event()
def work():
    number = 0
    while not stop.is_set():
        with catalog.transaction():
            catalog.artifacts.ensure(f"{threading.get_ident()} {number}")
        assert catalog.artifacts.get(f"{threading.get_ident()} {number}")
        number += 1
    done.append(number)
done = []
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for number in range(4):
    child = os.fork()
    if child == 0:
        catalog.artifacts.ensure(f"child {number}")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
names = catalog.artifacts.names()
assert len(done) == 2 and len(names) == sum(done) + 4, (done, len(names))
assert catalog.check() == []
"""
    assert _run(code, catalog_path) == 0


def _read_all(path: Path) -> None:
    """Open a catalog and read every row: damage may lie where opening does not look."""
    with Catalog.open(path) as catalog:
        for table in catalog.engine.tables():
            catalog.engine.query(f'SELECT * FROM "{table}"')


_PRELUDE = """
import os, signal, sys
from pathlib import Path
from artfs.catalog import Catalog
from artfs.catalog.engines.sqlite import SQLiteEngine
path = Path(sys.argv[1])
"""

_KILL_AT = """
statements = iter(range(10**6))
execute = SQLiteEngine.execute
def killed(self, *arguments):
    if next(statements) == {statement}:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(self, *arguments)
SQLiteEngine.execute = killed
"""


def _run(code: str, path: Path) -> int:
    return subprocess.run([sys.executable, "-c", _PRELUDE + code, path], check=False).returncode


def _at_once(count: int, code: str, path: Path) -> list[int]:
    """Run `code` in processes that all begin it at the same moment, and return how they ended."""
    read, write = os.pipe()
    wait = f"os.read({read}, 1)\n"
    processes = [
        subprocess.Popen([sys.executable, "-c", _PRELUDE + wait + code, path], pass_fds=[read]) for _ in range(count)
    ]
    os.close(read)
    # The end of the pipe is what they all wait for.
    os.close(write)
    return [process.wait() for process in processes]
