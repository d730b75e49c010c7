"""Many processes write one catalog at once, and any of them may be killed at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from artfs.catalog import Catalog
from support.catalogs import tree_with
from support.programs import all_ended

PROCESSES, SAVES = 8, 40

_PRELUDE = """
import json, os, signal, sys
from pathlib import Path
from artfs.catalog import Catalog
from artfs.catalog.engines.sqlite import SQLiteEngine
from artfs.content.tree import Tree
from support.catalogs import save, tree_with
path = Path(sys.argv[1])
"""

_SAVE_MANY = f"""
with Catalog.open(path) as catalog:
    os.read(0, 1)
    print(json.dumps([save(catalog, "iris", b"%d" % n, metadata={{"n": n}}).number for n in range({SAVES})]))
"""

# Parent and child in one process without threads, so that a child costs no new interpreter.
_KILL_EVERYWHERE = """
tree = tree_with({b"%d/%d" % (d, f): b"%d" % f for d in range(20) for f in range(20)})
Catalog.open(path).close()
done = 0
while True:
    child = os.fork()
    if child == 0:
        statements = iter(range(10**6))
        query, execute, executemany = SQLiteEngine.query, SQLiteEngine.execute, SQLiteEngine.executemany
        def killing(run):
            def run_or_die(self, *arguments):
                if next(statements) == done:
                    os.kill(os.getpid(), signal.SIGKILL)
                return run(self, *arguments)
            return run_or_die
        SQLiteEngine.query, SQLiteEngine.execute, SQLiteEngine.executemany = map(killing, (query, execute, executemany))
        save(Catalog.open(path), "iris", tree, tags=["t"], metadata={"k": 1}, user="ada")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    done += 1
    with Catalog.open(path) as catalog:
        rows = {table: catalog.engine.one(f'SELECT COUNT(*) FROM "{table}"')[0] for table in catalog.engine.tables()}
        assert {table for table, count in rows.items() if count} == {"schema_version", "identity"}, (done, rows)
print(done)
"""


def test_every_save_gets_a_number_of_its_own(catalog_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + _SAVE_MANY, catalog_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        for _ in range(PROCESSES)
    ]
    with all_ended(*processes):
        for process in processes:
            # They all wait for this byte, so that none is done before the last has begun.
            assert process.stdin is not None
            process.stdin.write("!")
            process.stdin.flush()
        printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    numbers = [number for line in printed for number in json.loads(line)]
    assert sorted(numbers) == list(range(1, PROCESSES * SAVES + 1))
    with Catalog.open(catalog_path) as catalog:
        assert catalog.versions.count() == PROCESSES * SAVES
        assert [version.number for version in catalog.versions.list()] == sorted(numbers)
        assert catalog.check() == []


def test_a_kill_at_any_statement_of_a_save_leaves_nothing_of_it(catalog_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + _KILL_EVERYWHERE, catalog_path],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.stderr == ""
    assert int(done.stdout) > 20, "as many statements were killed"
    with Catalog.open(catalog_path) as catalog:
        (version,) = catalog.versions.list()
        assert version.number == 1
        assert version.tree_id is not None
        expected = tree_with({b"%d/%d" % (d, f): b"%d" % f for d in range(20) for f in range(20)})
        assert catalog.trees.load(version.tree_id) == expected
        assert catalog.check() == []
