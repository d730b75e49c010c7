"""`artfs artifact prune` and `artfs gc`: what they say before, and what they do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.catalog.versions import Version
from artfs.workspace.workspace import Workspace

Run = Callable[..., Result]
Seal = Callable[..., Version]
OnTerminal = Callable[..., str]

NOTHING = "no run, tag, model or pin needs it"


@pytest.fixture(autouse=True)
def versions(seal_files: Seal) -> list[Version]:
    """Three versions of `iris`, of which the first is tagged, and two of `model`."""
    iris = [seal_files("iris", {"f": b"%d" % n}, tags=["best"] if n == 1 else []) for n in (1, 2, 3)]
    return [*iris, *(seal_files("model", {"w": bytes([n]) * 2048}) for n in (1, 2))]


def complaint(result: Result, code: int = 1) -> str:
    """The one line that an error is."""
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("artfs: ") and result.stderr.count("\n") == 1
    return result.stderr.removeprefix("artfs: ").rstrip("\n")


def names(run: Run) -> list[str]:
    """All versions, as `artifact/version`."""
    found = json.loads(run("artifact", "version", "list", "--json").stdout)
    return sorted(f"{each['artifact']}/{each['version']}" for each in found)


ALL = ["iris/1", "iris/2", "iris/3", "model/1", "model/2"]


class TestPrune:
    def test_a_dry_run_gives_a_reason_for_every_version_and_changes_nothing(self, run: Run) -> None:
        done = run("artifact", "prune", "--dry-run")
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        assert [[*row[:4], row[5]] for row in rows] == [
            ["keep", "iris", "1", "1", "tagged best"],
            ["remove", "iris", "2", "1", NOTHING],
            ["keep", "iris", "3", "1", "the newest version"],
            ["remove", "model", "1", "2048", NOTHING],
            ["keep", "model", "2", "2048", "the newest version"],
        ]
        assert done.stderr == "2 versions would be removed (2.0 KiB), 3 kept\n"
        assert names(run) == ALL

    def test_a_dry_run_as_json(self, run: Run) -> None:
        found = json.loads(run("artifact", "prune", "--dry-run", "--json", "model").stdout)
        assert [(each["version"], each["keep"]) for each in found["decisions"]] == [("1", False), ("2", True)]
        assert (found["bytes"], found["decisions"][0]["reason"]) == (2048, NOTHING)

    def test_a_dry_run_for_people(self, on_terminal: OnTerminal) -> None:
        shown = on_terminal("artifact", "prune", "--dry-run")
        head = next(line for line in shown.splitlines() if "PLAN" in line)
        assert head[head.index("PLAN") :].split() == ["PLAN", "ARTIFACT", "VERSION", "BYTES", "MADE", "REASON"]
        assert "looking at all versions" in shown

    def test_what_nothing_needs_is_removed(self, run: Run) -> None:
        done = run("artifact", "prune", "--yes")
        assert done.stdout == "removed 2 versions, freed 2.0 KiB\n"
        assert names(run) == ["iris/1", "iris/3", "model/2"]
        assert run("artifact", "prune", "--yes").stdout == "removed 0 versions, freed 0 Bytes\n"

    def test_as_json(self, run: Run) -> None:
        done = json.loads(run("artifact", "prune", "-y", "--json").stdout)
        assert done == {
            "removed": ["iris/2", "model/1"],
            "spared": [],
            "files": 2,
            "bytes": 2049,
            "kept_bytes": 0,
            "errors": [],
        }

    def test_progress_is_shown_to_people(self, on_terminal: OnTerminal) -> None:
        shown = on_terminal("artifact", "prune", "-y")
        assert "pruning" in shown and "removed 2 versions" in shown

    def test_the_options(self, run: Run) -> None:
        assert run("artifact", "prune", "-y", "--older-than", "1d").stdout.startswith("removed 0 versions")
        assert run("artifact", "prune", "-y", "--keep-last", "2").stdout.startswith("removed 0 versions")
        assert run("artifact", "prune", "-y", "--only-artifact", "iris").stdout.startswith("removed 1 version,")
        assert run("artifact", "prune", "-y", "--only-metadata").stdout == "removed 1 version, left 2.0 KiB to you\n"
        assert run("artifact", "prune", "-y", "--keep-last", "0").stdout.startswith("removed 2 versions")
        assert names(run) == ["iris/1"]

    def test_data_registered_in_place_stays(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "set.csv").write_text("1,2\n")
        run("artifact", "register", tmp_path / "set.csv", "set")
        run("artifact", "prune", "-y", "--keep-last", "0", "set")
        assert (tmp_path / "set.csv").read_text() == "1,2\n"

    def test_without_a_terminal_to_ask_on_nothing_is_removed(self, run: Run) -> None:
        assert "give --yes" in complaint(run("artifact", "prune"), code=2)
        assert names(run) == ALL

    def test_what_is_not_there(self, run: Run) -> None:
        assert "no artifact is named 'none'" in complaint(run("artifact", "prune", "iris", "none", "-y"))
        assert names(run) == ALL

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--keep-last", "-1"], "-1 is not in the range x>=0"),
            (["--older-than", "soon"], "'soon' is neither an age such as 12h, 30d or 6w, nor a date"),
            (["--only-artifact", "--only-metadata"], "exclude each other"),
        ],
    )
    def test_wrong_usage(self, run: Run, options: list[str], words: str) -> None:
        assert words in complaint(run("artifact", "prune", "-y", *options), code=2)
        assert names(run) == ALL


class TestGc:
    @pytest.fixture
    def orphan(self, workspace: Workspace, versions: list[Version]) -> Path:
        """A directory of a version that never came to be, as a kill leaves it."""
        store = workspace.stores.active
        directory = b"iris/" + b"0123456789abcdef" * 2
        folder = Path(os.fsdecode(store.place_path(directory)))
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(bytes(1024))
        with store.claim(directory):
            pass
        os.utime(folder, (0, 0))
        return folder

    def test_a_dry_run_only_looks(self, run: Run, orphan: Path) -> None:
        assert run("gc", "--dry-run").stdout.splitlines() == [
            "would remove 0 files that no version needs: 0 Bytes",
            "would remove 1 directory of versions that never came to be: 1.0 KiB",
            "would remove 0 copies of removed versions from the cache",
        ]
        assert orphan.exists()

    def test_what_nothing_accounts_for_is_removed_and_nothing_else(self, run: Run, orphan: Path) -> None:
        assert "removed 1 directory of versions that never came to be: 1.0 KiB" in run("gc").stdout
        assert not orphan.exists()
        assert run("verify", "--all").exit_code == 0

    def test_as_json(self, run: Run, orphan: Path) -> None:
        found = json.loads(run("gc", "--json").stdout)
        assert (found["dry_run"], found["directory_bytes"], found["errors"]) == (False, 1024, [])
        assert [Path(each).name for each in found["directories"]] == [orphan.name]
        assert json.loads(run("gc", "--json").stdout)["directories"] == []
