"""`artfs artifact-store update`: a store whose folder was moved is found again, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs import load_artifact, save_artifact
from artfs.catalog import Catalog
from artfs.errors import StoreError
from artfs.stores.mark import MARK
from artfs.workspace.current import current_workspace

Run = Callable[..., Result]

READER = """
import sys
from artfs import load_artifact, save_artifact
print(load_artifact("a", "1"), flush=True)
sys.stdin.readline()
version = save_artifact("second", "a")
print(load_artifact("a", "1"), load_artifact("a", "2"), flush=True)
"""


def complaint(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def disk(run: Run, tmp_path: Path) -> Path:
    """The folder of the active store, with a version in it."""
    run("init")
    run("artifact-store", "register", "disk", "-f", "local", "-p", tmp_path / "disk")
    run("stack", "register", "disk", "-a", "disk", "--set")
    save_artifact("first", "a")
    current_workspace().close()
    return tmp_path / "disk"


def kept_root(home: Path, name: str) -> str:
    with Catalog.open(home / "catalog.db") as catalog:
        row = catalog.stores.get(name)
        assert row is not None
        return row.root


def test_a_store_that_was_moved_is_found_again(run: Run, disk: Path, tmp_path: Path, home: Path) -> None:
    disk.rename(tmp_path / "moved")
    assert "is its disk mounted? If it was moved: artfs artifact-store update 'disk' --path DIR" in complaint(
        run("artifact", "download", "a", tmp_path / "out")
    )
    done = run("artifact-store", "update", "disk", "--path", tmp_path / "moved")
    assert done.stdout == f"updated artifact store disk at {tmp_path}/moved\n"
    assert load_artifact("a") == "first"
    save_artifact("second", "a")
    assert not disk.exists()
    assert run("verify", "--all").exit_code == 0
    assert current_workspace().catalog.audit.list("disk")[0].action == "store.update"


def test_inside_the_home_it_is_kept_relative(run: Run, disk: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.rename(home / "elsewhere")
    monkeypatch.chdir(home)
    assert run("artifact-store", "update", "disk", "-p", "elsewhere").exit_code == 0
    assert kept_root(home, "disk") == "elsewhere"
    assert load_artifact("a") == "first"


def test_a_copy_takes_over(run: Run, disk: Path, tmp_path: Path) -> None:
    shutil.copytree(disk, tmp_path / "copy")
    assert run("artifact-store", "update", "disk", "-p", tmp_path / "copy").exit_code == 0
    before = sorted(disk.rglob("*"))
    save_artifact("second", "a")
    assert sorted(disk.rglob("*")) == before
    assert load_artifact("a", "1") == "first"


def test_an_older_copy_is_refused(run: Run, disk: Path, tmp_path: Path, home: Path) -> None:
    shutil.copytree(disk, tmp_path / "copy")
    save_artifact("second", "a")
    current_workspace().close()
    said = complaint(run("artifact-store", "update", "disk", "-p", tmp_path / "copy"))
    assert f"is an older copy of the artifact store 'disk' than '{disk}'" in said
    assert kept_root(home, "disk") == str(disk)


def test_a_default_store_elsewhere_that_is_away_is_not_looked_for_in_the_home(
    run: Run, home: Path, tmp_path: Path
) -> None:
    """Its old folder may still be there, and would be taken for it: it is called `store` at both places."""
    run("init")
    save_artifact("first", "a")
    current_workspace().close()
    shutil.copytree(home / "store", tmp_path / "big/store")
    assert run("artifact-store", "update", "default", "-p", tmp_path / "big/store").exit_code == 0
    (tmp_path / "big").rename(tmp_path / "away")
    described = json.loads(run("artifact-store", "describe", "default", "--json").stdout)
    assert described["path"] == f"{tmp_path}/big/store"
    with pytest.raises(StoreError, match="is its disk mounted"):
        save_artifact("second", "a")


class TestWhatIsNotTheStore:
    @pytest.fixture(autouse=True)
    def still_there(self, disk: Path, home: Path) -> object:
        """What was refused changes nothing."""
        yield
        assert kept_root(home, "disk") == str(disk)
        assert load_artifact("a") == "first"

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("none", "nothing is there"),
            ("file", "a file is there"),
            ("empty", "an empty folder is there"),
            ("unmarked", f"a folder without the mark {MARK} is there, with a, b, c and 2 more"),
        ],
    )
    def test_what_bears_no_mark(self, run: Run, tmp_path: Path, kind: str, words: str) -> None:
        path = tmp_path / kind
        if kind == "file":
            path.touch()
        if kind in ("empty", "unmarked"):
            path.mkdir()
        if kind == "unmarked":
            for name in "abcde":
                (path / name).touch()
        said = complaint(run("artifact-store", "update", "disk", "-p", path))
        assert f"'{path}' is not the artifact store 'disk': {words}; give the folder that bears its mark" in said

    def test_another_store_of_this_home(self, run: Run, tmp_path: Path) -> None:
        run("artifact-store", "register", "other", "-f", "local", "-p", tmp_path / "other")
        said = complaint(run("artifact-store", "update", "disk", "-p", tmp_path / "other"))
        assert f"'{tmp_path}/other' is the artifact store 'other'" in said
        (tmp_path / "other").rename(tmp_path / "moved")
        said = complaint(run("artifact-store", "update", "disk", "-p", tmp_path / "moved"))
        assert "another artifact store is at" in said and "'other' of the home" in said

    def test_a_store_of_another_home(self, run: Run, tmp_path: Path) -> None:
        run("--home", tmp_path / "second", "init")
        said = complaint(run("artifact-store", "update", "disk", "-p", tmp_path / "second/store"))
        assert "another artifact store is at" in said and f"of the home {tmp_path}/second" in said

    def test_a_folder_with_the_mark_and_nothing_else(self, run: Run, disk: Path, tmp_path: Path) -> None:
        shutil.copytree(disk / ".artfs", tmp_path / "marked/.artfs")
        said = complaint(run("artifact-store", "update", "disk", "-p", tmp_path / "marked"))
        assert "nothing of what the artifact store 'disk' should hold is at" in said

    @pytest.mark.parametrize("path", ["cache/store", "mounts"])
    def test_where_artfs_keeps_its_own(self, run: Run, home: Path, path: str) -> None:
        assert "artfs keeps its own files" in complaint(run("artifact-store", "update", "disk", "-p", home / path))

    def test_another_scheme(self, run: Run) -> None:
        assert "must begin with /, file://" in complaint(run("artifact-store", "update", "disk", "-p", "s3://bucket"))

    def test_no_store(self, run: Run) -> None:
        assert "no store named 'none'" in complaint(run("artifact-store", "update", "none", "-p", "/x"))

    def test_an_option_that_it_does_not_take(self, run: Run) -> None:
        assert "no option 'height'" in complaint(run("artifact-store", "update", "disk", "-o", "height=3"))

    def test_nothing_to_change(self, run: Run) -> None:
        assert run("artifact-store", "update", "disk").exit_code == 2


def test_options_are_changed_and_taken_away(run: Run, disk: Path) -> None:
    class_option = "class=support.stores:PlainMemoryStore"
    run("artifact-store", "register", "far", "-f", "custom", "-p", "memory://bucket/far", "-o", class_option)

    def options() -> dict[str, object]:
        found: dict[str, object] = json.loads(run("artifact-store", "describe", "far", "--json").stdout)["options"]
        del found["class"]
        return found

    assert run("artifact-store", "update", "far", "-o", "deadline=5", "-o", "connections=2").exit_code == 0
    assert options() == {"deadline": 5, "connections": 2}
    assert run("artifact-store", "update", "far", "-o", "deadline=null").exit_code == 0
    assert options() == {"connections": 2}
    assert "'deadline' is a number of seconds" in complaint(
        run("artifact-store", "update", "far", "-o", "deadline=soon")
    )


def test_an_open_process_notices(run: Run, disk: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "first\n"
        # On another disk: its open folder does not move along.
        shutil.copytree(disk, tmp_path / "moved")
        shutil.rmtree(disk)
        run("artifact-store", "update", "disk", "-p", tmp_path / "moved")
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "first second\n"
    assert process.returncode == 0
    assert not disk.exists()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("none", "nothing is there"), ("empty", "an empty folder is there"), ("file", "a file is there")],
)
def test_doctor_says_what_it_found_and_what_to_do(run: Run, disk: Path, tmp_path: Path, kind: str, words: str) -> None:
    disk.rename(tmp_path / "moved")
    if kind == "empty":
        disk.mkdir()
    if kind == "file":
        disk.touch()
    (found,) = [check for check in json.loads(run("doctor", "--json").stdout) if check["name"] == "stores"]
    assert found["level"] == "fail"
    assert found["message"].startswith(f"'disk' is not at '{disk}': {words}")
    assert found["advice"] == "mount it; if the store was moved: artfs artifact-store update 'disk' --path DIR"
    assert "is not the store" in json.loads(run("artifact-store", "describe", "disk", "--json").stdout)["problem"]
