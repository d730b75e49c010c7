"""`artfs verify` finds every byte that is not what was stored, and says in which file of which version."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.artifacts.scan import scan_in_place
from artfs.artifacts.verify import verify
from artfs.catalog.versions import Version
from artfs.content.digest import BLOCK_SIZE
from artfs.workspace.workspace import Workspace
from support.stores import stored_files
from support.versions import seal

Run = Callable[..., Result]
Seal = Callable[..., Version]

BIG = os.urandom(2 * BLOCK_SIZE + 5)


@pytest.fixture
def stored(workspace: Workspace, seal_files: Seal) -> dict[bytes, Path]:
    """The files of `iris/1` and `iris/2`, which share `a`; by content, where they lie in the store."""
    seal_files("iris", {"a": b"shared", "deep/big": BIG, "empty": b""})
    seal_files("iris", {"again": b"shared", "b": b"second"})
    root = workspace.home.store_root
    return {path.read_bytes(): path for path in stored_files(root)}


def test_all_is_well(run: Run, stored: dict[bytes, Path]) -> None:
    result = run("verify", "--all")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("2 versions with 5 files and 8.0 MiB are intact, read in /")


def test_a_changed_byte(run: Run, stored: dict[bytes, Path]) -> None:
    _write(stored[BIG], BIG[:-1] + bytes([BIG[-1] ^ 1]))
    result = run("verify", "iris")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"artfs: iris/1/deep/big: damaged: {stored[BIG]}: it is b3:")


def test_a_shared_file_is_told_for_each_version(run: Run, stored: dict[bytes, Path]) -> None:
    _write(stored[b"shared"], b"Shared")
    result = run("verify", "iris", "--json")
    assert result.exit_code == 1
    damages = json.loads(result.stdout)["damages"]
    assert [(damage["version"], damage["path"]) for damage in damages] == [("iris/1", "a"), ("iris/2", "again")]
    assert {damage["place"] for damage in damages} == {str(stored[b"shared"])}


@pytest.mark.parametrize(
    ("content", "damaged", "why"),
    [
        (b"second", b"secon", "it has 5 bytes instead of 6"),
        (b"second", b"second and more", "it has 15 bytes instead of 6"),
        (b"", b"not empty", "it has 9 bytes instead of 0"),
        (b"second", None, "No such file or directory"),
    ],
)
def test_what_can_be_wrong(
    run: Run, stored: dict[bytes, Path], content: bytes, damaged: bytes | None, why: str
) -> None:
    if damaged is None:
        stored[content].unlink()
    else:
        _write(stored[content], damaged)
    result = run("verify", "--all")
    assert result.exit_code == 1
    assert why in result.stderr


def test_only_what_was_asked_for(run: Run, stored: dict[bytes, Path]) -> None:
    _write(stored[b"second"], b"broken")
    assert run("verify", "iris/1").exit_code == 0
    assert run("verify", "iris/1", "iris/latest").exit_code == 1


def test_data_that_was_registered_in_place_and_changed(run: Run, workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "x").write_bytes(b"as it was")
    seal(scan_in_place(folder), workspace, "set", save_type="preexisting")
    assert run("verify", "set").exit_code == 0
    (folder / "x").write_bytes(b"as it is!")
    result = run("verify", "set")
    assert result.exit_code == 1
    assert f"set/1/x: damaged: {folder}/x: it was changed since it was registered" in result.stderr


def test_a_purged_version_has_nothing_to_verify(run: Run, workspace: Workspace, stored: dict[bytes, Path]) -> None:
    artifact = workspace.catalog.artifacts.get("iris")
    assert artifact is not None
    version = workspace.catalog.versions.get(artifact.id, "1")
    assert version is not None
    workspace.catalog.versions.purge(version.id, "test")
    stored[BIG].unlink()
    assert run("verify", "iris/1", "iris/2").exit_code == 0
    # Listed before it was purged: its bytes are gone on purpose.
    assert list(verify(workspace, [version])) == []


def test_progress_adds_up_to_the_bytes_of_the_versions(workspace: Workspace, stored: dict[bytes, Path]) -> None:
    versions = workspace.catalog.versions.list()
    done: list[int] = []
    assert list(verify(workspace, versions, done.append)) == []
    assert sum(done) == sum(version.bytes for version in versions)


def _write(path: Path, content: bytes) -> None:
    """Damages a stored file, which is read-only."""
    path.chmod(0o600)
    path.write_bytes(content)
