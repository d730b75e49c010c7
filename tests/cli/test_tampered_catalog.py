"""A catalog that something else wrote into: names that leave a tree are damage, and reach nothing beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.artifacts.load import load
from artfs.catalog.versions import Version
from artfs.errors import CatalogCorrupt
from artfs.workspace.workspace import Workspace
from support.tampering import tamper

Run = Callable[..., Result]
Seal = Callable[..., Version]

HOSTILE = [b"../../x", b"..", b".", b"", b"a/b", b"/etc/x", b"a\0b"]


@pytest.fixture(params=HOSTILE, ids=repr)
def tampered(request: pytest.FixtureRequest, home: Path, workspace: Workspace, seal_files: Seal) -> bytes:
    """The name that an entry of `p/1` has now, in a folder of it."""
    seal_files("p", {"folder/file": b"content"})
    tamper(home, "UPDATE tree_entry SET name = ? WHERE name = ?", request.param, b"file")
    name: bytes = request.param
    return name


@pytest.mark.parametrize("target", ["deep/out", "deep/out.zip"])
def test_no_download_writes_beside_its_target(run: Run, tampered: bytes, tmp_path: Path, target: str) -> None:
    above = tmp_path / "above"
    (above / "deep").mkdir(parents=True)
    result = run("artifact", "download", "p/1", above / target)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("artfs: the catalog is damaged: it lists '")
    assert "restore the catalog" in line
    assert [path.name for path in above.rglob("*")] == ["deep"]


def test_verify_tells_a_hostile_name_as_damage(run: Run, tampered: bytes, seal_files: Seal) -> None:
    seal_files("q", {"f": b"well"})
    result = run("verify", "--all")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("artfs: p/1: damaged: the catalog is damaged: it lists '")
    assert run("verify", "q").exit_code == 0


def test_nothing_is_loaded_from_hostile_names(workspace: Workspace, tampered: bytes, home: Path) -> None:
    version = workspace.catalog.versions.list()[0]
    with pytest.raises(CatalogCorrupt, match="damaged"):
        load(workspace, version)
    assert not (home / "cache" / "views").exists() or not os.listdir(home / "cache" / "views")


def test_a_name_of_another_type_is_damage(run: Run, home: Path, workspace: Workspace, seal_files: Seal) -> None:
    seal_files("p", {"file": b"content"})
    tamper(home, "UPDATE tree_entry SET name = '../x'")
    result = run("verify", "p")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "p/1: damaged: the catalog is damaged" in result.stderr


def test_a_reserved_name_at_the_top_is_damage(run: Run, home: Path, seal_files: Seal, tmp_path: Path) -> None:
    seal_files("p", {"file": b"content"})
    tamper(home, "UPDATE tree_entry SET name = ?", b".artfs")
    assert "names that begin so are artfs's own" in run("artifact", "download", "p/1", tmp_path / "out").stderr
    assert "names that begin so are artfs's own" in run("verify", "p").stderr


def test_a_directory_that_lies_in_itself_is_damage(run: Run, home: Path, seal_files: Seal, tmp_path: Path) -> None:
    seal_files("p", {"a/b/file": b"content"})
    tamper(home, "UPDATE tree_entry SET child_id = tree_id WHERE name = ?", b"b")
    assert "it lies in itself" in run("verify", "p").stderr
    assert "it lies in itself" in run("artifact", "download", "p/1", tmp_path / "out").stderr
    assert not (tmp_path / "out").exists()


def test_rows_that_are_no_directory_are_damage(run: Run, home: Path, seal_files: Seal) -> None:
    seal_files("p", {"file": b"content"})
    tamper(home, "UPDATE tree_entry SET kind = 3")
    result = run("verify", "p")
    assert result.exit_code == 1
    assert "p/1: damaged: the catalog is damaged: directory" in result.stderr
    assert "report" not in result.stderr


@pytest.mark.expected_warnings("does not know version")  # where it has another id now
@pytest.mark.parametrize(
    ("sql", "what", "command"),
    [
        ("UPDATE artifact SET name = '../../p'", "an artifact", "verify --all"),
        ("UPDATE artifact SET name = '../../p'", "an artifact", "artifact list"),
        ("UPDATE version SET name = '..'", "a version", "verify --all"),
        ("UPDATE version SET name = '..'", "a version", "artifact version list"),
        ("UPDATE version SET uuid = '../../../victim'", "the id of a version", "artifact version describe p"),
        ("UPDATE tag SET name = 'a/../b'", "a tag", "artifact version describe p"),
    ],
)
def test_hostile_names_end_a_command_in_one_line(
    run: Run, home: Path, seal_files: Seal, sql: str, what: str, command: str
) -> None:
    seal_files("p", {"file": b"content"}, tags=["best"])
    tamper(home, sql)
    result = run(*command.split())
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"the catalog is damaged: it names {what} '" in line


@pytest.mark.expected_warnings("does not know version")
def test_an_id_that_leads_out_of_the_cache_removes_nothing(run: Run, home: Path, seal_files: Seal) -> None:
    seal_files("p", {"file": b"content"})
    victim = home / "victim"
    victim.mkdir()
    (victim / "precious").write_text("kept")
    tamper(home, "UPDATE version SET uuid = '../../victim'")
    assert run("artifact", "version", "delete", "p/1", "--yes").exit_code == 1
    assert (victim / "precious").read_text() == "kept"


def test_a_place_that_leads_out_of_the_store_is_damage(
    run: Run, home: Path, workspace: Workspace, seal_files: Seal, tmp_path: Path
) -> None:
    seal_files("p", {"file": b"content"})
    outside = tmp_path / "outside"
    outside.write_bytes(b"content")
    tamper(home, "UPDATE blob_place SET path = ?", b"../../outside")
    result = run("verify", "p")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "as a place in a store" in result.stderr
    assert run("artifact", "download", "p/1", tmp_path / "out").exit_code == 1
    run("artifact", "version", "delete", "p/1", "--yes")
    assert outside.read_bytes() == b"content"


def test_a_run_whose_id_leads_out_of_the_logs_removes_nothing(run: Run, home: Path, workspace: Workspace) -> None:
    workspace.catalog.runs.create("train", "first")
    (home / "victim").mkdir()
    tamper(home, "UPDATE run SET uuid = '../victim', ended_us = 1")
    assert "it names the id of a run" in run("run", "delete", "train/first", "--yes").stderr
    assert (home / "victim").is_dir()
