"""Artifact stores and stacks on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.catalog.versions import Version
from support.installed import install
from support.stores import stored_files

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]

SHELF = """
from artfs.stores import LocalStore

class ShelfStore(LocalStore):
    flavor = "shelf"
    SUPPORTED_SCHEMES = {"/"}
    OPTIONS = frozenset({"height"})
"""

SAVE_AND_READ = """
import sys, fsspec
from pathlib import Path
from artfs.artifacts.scan import scan
from artfs.workspace.workspace import Workspace
from support.versions import seal

with Workspace.open() as workspace:
    seal(scan(Path(sys.argv[1])), workspace, "iris", adopt=False)
print(fsspec.filesystem("artfs").cat_file("iris/1/file").decode())
"""


def rows(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in result.stdout.splitlines()]


def complaint(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("artfs: ") and result.stderr.count("\n") == 1
    return result.stderr.removeprefix("artfs: ").rstrip("\n")


@pytest.fixture(autouse=True)
def initialized(run: Run) -> None:
    run("init")


class TestFlavors:
    def test_in_a_pipe(self, run: Run) -> None:
        found = {row[0]: row[1:] for row in rows(run("artifact-store", "flavor", "list"))}
        assert found["local"] == ["/,file://", "built in", ""]
        assert {name: row[0] for name, row in found.items()}["s3"] == "s3://"
        assert "--option class=package.module:Class" in found["custom"][1]

    def test_as_json(self, run: Run) -> None:
        found = {each["name"]: each for each in json.loads(run("artifact-store", "flavor", "list", "--json").stdout)}
        assert found["local"] == {"name": "local", "schemes": ["/", "file://"], "source": "built in", "problem": None}

    def test_for_people(self, on_terminal: Callable[..., str]) -> None:
        shown = on_terminal("artifact-store", "flavor", "list")
        assert shown.split()[:4] == ["FLAVOR", "SCHEMES", "SOURCE", "PROBLEM"]


class TestStores:
    def test_one_is_registered_listed_and_deleted(self, run: Run, tmp_path: Path) -> None:
        done = run("artifact-store", "register", "disk", "-f", "local", f"--path={tmp_path}/disk")
        assert done.stdout == f"registered artifact store disk at {tmp_path}/disk\n"
        assert [row[:4] for row in rows(run("artifact-store", "list"))] == [
            ["default", "local", f"{os.environ['ARTFS_HOME']}/store", "default"],
            ["disk", "local", f"{tmp_path}/disk", ""],
        ]
        run("stack", "register", "other", "-a", "disk")
        shown = dict(rows(run("artifact-store", "describe", "disk")))
        assert (shown["path"], shown["stacks"], shown["versions"]) == (f"{tmp_path}/disk", "other", "0")
        assert "the stack 'other' uses it" in complaint(run("artifact-store", "delete", "disk"))
        run("stack", "delete", "other")
        assert run("artifact-store", "delete", "disk").stdout == "deleted artifact store disk\n"
        assert [row[0] for row in rows(run("artifact-store", "list"))] == ["default"]

    def test_as_json(self, run: Run, seal_files: Callable[..., Version]) -> None:
        seal_files("iris", {"f": b"x"})
        (listed,) = json.loads(run("artifact-store", "list", "--json").stdout)
        assert (listed["name"], listed["flavor"], listed["stacks"]) == ("default", "local", ["default"])
        found = json.loads(run("artifact-store", "describe", "default", "--json").stdout)
        assert (found["versions"], found["options"], found["problem"]) == (1, {}, None)
        assert found["created"] == listed["created"]

    def test_for_people(self, on_terminal: Callable[..., str]) -> None:
        assert on_terminal("artifact-store", "list").split()[:5] == ["NAME", "FLAVOR", "PATH", "STACKS", "CREATED"]

    def test_a_path_may_be_relative_here(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert f"at {tmp_path}/disk" in run("artifact-store", "register", "disk", "-f", "local", "-p", "disk").stdout

    def test_the_command_of_document_001_says_what_is_missing(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """As long as there is no s3 store, and later where its library is not installed."""
        from artfs.stores import built_in, registry

        lacking = built_in.BuiltIn("artfs.stores.not_there:S3Store", ("s3://",), "s3")
        monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, "s3": lacking})
        said = complaint(run("artifact-store", "register", "s3_store", "-f", "s3", "--path", "s3://my_bucket"))
        assert "artfs[s3]" in said
        assert [row[0] for row in rows(run("artifact-store", "list"))] == ["default"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["register", "x", "-f", "floppy", "-p", "/x"], ["no artifact store flavor 'floppy'", "local"]),
            (["register", "x", "-f", "local", "-p", "s3://b"], ["must begin with /, file://"]),
            (["register", "x", "-f", "local", "-p", ""], ["must begin with"]),
            (["register", "a/b", "-f", "local", "-p", "/x"], ["invalid artifact store name", "contains '/'"]),
            (["register", "x", "-f", "local", "-p", "/x", "-o", "secret_key=abc"], ["no option 'secret_key'"]),
            (["register", "x", "-f", "custom", "-p", "x://y"], ["needs the option 'class'"]),
            (["describe", "none"], ["no artifact store is named 'none'", "artifact-store list"]),
            (["delete", "none"], ["no store named 'none'"]),
            (["delete", "default"], ["the stack 'default' uses it"]),
        ],
    )
    def test_what_cannot_be(self, run: Run, arguments: list[str], words: list[str]) -> None:
        said = complaint(run("artifact-store", *arguments))
        assert [word for word in words if word not in said] == []
        assert [row[0] for row in rows(run("artifact-store", "list"))] == ["default"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["register", "x", "-p", "/x"], "Missing option '-f'"),
            (["register", "x", "-f", "local"], "Missing option '-p'"),
            (["register", "x", "-f", "local", "-p", "/x", "-o", "height"], "'height' is not KEY=VALUE"),
        ],
    )
    def test_wrong_usage(self, run: Run, arguments: list[str], words: str) -> None:
        result = run("artifact-store", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr


class TestStacks:
    def test_one_is_registered_chosen_and_deleted(self, run: Run, tmp_path: Path) -> None:
        run("artifact-store", "register", "disk", "-f", "local", "-p", tmp_path / "disk")
        assert run("stack", "register", "other", "-a", "disk").stdout == (
            "registered stack other with artifact store disk\n"
        )
        assert [row[:3] for row in rows(run("stack", "list"))] == [
            ["default", "yes", "default"],
            ["other", "no", "disk"],
        ]
        assert run("stack", "set", "other").stdout == "active stack: other\n"
        shown = dict(rows(run("stack", "describe")))
        assert (shown["name"], shown["active"], shown["path"]) == ("other", "yes", f"{tmp_path}/disk")
        assert dict(rows(run("stack", "describe", "default")))["active"] == "no"
        assert "is the active one" in complaint(run("stack", "delete", "other"))
        run("stack", "set", "default")
        assert run("stack", "delete", "other").stdout == "deleted stack other\n"
        (left,) = json.loads(run("stack", "list", "--json").stdout)
        assert (left["name"], left["active"], left["artifact_store"]) == ("default", True, "default")

    def test_one_can_be_chosen_at_once(self, run: Run) -> None:
        assert "active stack: other" in run("stack", "register", "other", "-a", "default", "--set").stdout
        assert json.loads(run("stack", "describe", "--json").stdout)["name"] == "other"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["register", "x", "-a", "none"], "no artifact store is named 'none'"),
            (["register", "default", "-a", "default"], "a stack named 'default' exists already"),
            (["set", "none"], "there is no stack named 'none': see 'artfs stack list'"),
            (["describe", "none"], "there is no stack named 'none'"),
            (["delete", "none"], "there is no stack named 'none'"),
            (["delete", "default"], "is always there"),
        ],
    )
    def test_what_cannot_be(self, run: Run, arguments: list[str], words: str) -> None:
        assert words in complaint(run("stack", *arguments))


def test_names_are_completed(run: Run, artfs: Process, tmp_path: Path) -> None:
    run("artifact-store", "register", "disk", "-f", "local", "-p", tmp_path / "disk")
    run("stack", "register", "other", "-a", "disk")
    offered = {
        "artfs artifact-store describe": ["default", "disk"],
        "artfs stack set": ["default", "other"],
        "artfs stack register x -a": ["default", "disk"],
        "artfs artifact-store register x -f": ["local", "s3", "gcs", "azure", "custom"],
    }
    for words, names in offered.items():
        position = str(len(words.split(" ")))
        done = artfs(_ARTFS_COMPLETE="bash_complete", COMP_WORDS=f"{words} ", COMP_CWORD=position)
        assert [line.removeprefix("plain,") for line in done.stdout.splitlines()] == names


class TestInstalledFlavor:
    """A flavour that somebody else installed: no import, and every process finds it."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        """What PYTHONPATH has to be for it."""
        entry_points = "[artfs.stores]\nshelf = shelves.stores:ShelfStore\n"
        return str(install(tmp_path / "site", "shelves", {"stores.py": SHELF}, entry_points))

    def test_versions_can_live_in_it(
        self, artfs: Process, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (
            "shelf\t/\tshelves.stores.ShelfStore\t" in artfs("artifact-store", "flavor", "list", PYTHONPATH=path).stdout
        )
        register = ("artifact-store", "register", "mine", "-f", "shelf", "-p", tmp_path / "shelf", "-o", "height=3")
        assert artfs(*register, PYTHONPATH=path).stderr == ""
        artfs("stack", "register", "on shelf", "-a", "mine", "--set", PYTHONPATH=path)
        described = json.loads(artfs("artifact-store", "describe", "mine", "--json", PYTHONPATH=path).stdout)
        assert (described["flavor"], described["options"], described["problem"]) == ("shelf", {"height": 3}, None)
        (tmp_path / "file").write_text("content")
        done = subprocess.run(
            [sys.executable, "-c", SAVE_AND_READ, tmp_path / "file"],
            env={**os.environ, "PYTHONPATH": f"{path}:{Path(__file__).parents[1]}"},
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == ("content\n", "")
        assert [file.name for file in stored_files(tmp_path / "shelf")] == ["file"]
        assert artfs("verify", "--all", PYTHONPATH=path).returncode == 0

    def test_without_it_one_line_says_what_is_missing(self, artfs: Process, path: str, tmp_path: Path) -> None:
        artfs("artifact-store", "register", "mine", "-f", "shelf", "-p", tmp_path / "shelf", PYTHONPATH=path)
        artfs("stack", "register", "on shelf", "-a", "mine", PYTHONPATH=path)
        assert artfs("artifact-store", "list").stdout.splitlines()[1].startswith("mine\tshelf\t")
        assert "no artifact store flavor 'shelf'" in artfs("artifact-store", "describe", "mine").stdout
        failed = artfs("stack", "set", "on shelf")
        assert failed.returncode == 1
        assert failed.stderr.startswith("artfs: no artifact store flavor 'shelf'; known flavors are local")
        assert failed.stderr.endswith("install the package that provides it\n")
