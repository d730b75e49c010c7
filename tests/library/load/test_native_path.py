"""A local directory of a version: the files of the version, checked, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from artfs import load_artifact, pipeline, register_artifact, save_artifact, step
from artfs.artifacts.scan import scan
from artfs.cli import cli
from artfs.client import Client
from artfs.errors import DigestMismatch, PlaceChanged, StoreError, VersionNotFound
from artfs.materializers import BytesMaterializer
from artfs.workspace.current import current_workspace
from support.stores import stored_files
from support.versions import seal

FILES = {"a.txt": b"one", "deep/b.bin": os.urandom(5 * 2**20), "deep/empty": b""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "data"
    for name, content in FILES.items():
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_bytes(content)
    return found


def printed(*arguments: str) -> Path:
    result = CliRunner().invoke(cli, ["artifact", "path", *arguments])
    assert result.exit_code == 0, result.output
    return Path(result.stdout.removesuffix("\n"))


def contents(directory: Path) -> dict[str, bytes]:
    """All files of a directory, also hidden ones."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["set", "set/1", "set/latest", "set/@best"])
def test_a_version_is_a_directory_of_its_files_alone(folder: Path, name: str) -> None:
    workspace = current_workspace()
    made = seal(scan(folder), workspace, "set", adopt=False, tags=["best"])
    directory = printed(name)
    assert contents(directory) == FILES
    workspace.syncing.sync()
    assert contents(printed(name)) == contents(directory) == FILES
    assert Client().get_artifact_version("set").local_path() == directory
    (stored,) = [path for path in stored_files(workspace.home.path / "store") if path.name == "b.bin"]
    assert (directory / "deep" / "b.bin").samefile(stored)
    assert made.name == "1"


def test_registered_data_is_where_it_is_for_the_command_and_for_load_artifact(folder: Path) -> None:
    register_artifact(folder, name="set")
    assert printed("set") == load_artifact("set") == folder


def test_a_registered_file_is_alone_in_its_directory(folder: Path) -> None:
    register_artifact(folder / "a.txt", name="text")
    directory = printed("text")
    assert contents(directory) == {"a.txt": b"one"}
    assert load_artifact("text").parent == directory


def test_files_that_versions_share_are_in_the_directory_of_each(folder: Path) -> None:
    first = seal(scan(folder), current_workspace(), "set", adopt=False)
    (folder / "a.txt").write_bytes(b"two")
    seal(scan(folder), current_workspace(), "set", adopt=False)
    assert contents(printed("set/1"))["a.txt"] == b"one"
    assert contents(printed("set/2")) == {**FILES, "a.txt": b"two"}
    assert first.name == "1"


def test_damage_is_an_error_and_no_path(folder: Path) -> None:
    save_artifact(b"x" * 300_000, "blob", materializer=BytesMaterializer)
    version = Client().get_artifact_version("blob")
    version.local_path()
    current_workspace().syncing.sync()
    for path in current_workspace().home.path.rglob("*"):
        if path.is_file() and path.stat().st_size == 300_000:
            path.chmod(0o600)
            path.write_bytes(b"y" * 300_000)
    with pytest.raises(DigestMismatch, match="blob"):
        version.local_path()
    register_artifact(folder, name="set")
    (folder / "a.txt").write_bytes(b"other")
    result = CliRunner().invoke(cli, ["artifact", "path", "set"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "changed after it was registered" in result.stderr
    with pytest.raises(PlaceChanged):
        Client().get_artifact_version("set").local_path()


def test_a_removed_version_has_no_path(folder: Path) -> None:
    save_artifact(1, "n")
    version = Client().get_artifact_version("n")
    directory = version.local_path()
    Client().delete_artifact_version("n")
    assert not directory.exists()
    with pytest.raises(VersionNotFound):
        version.local_path()


def test_a_step_that_takes_the_path_of_a_version_has_read_it(folder: Path) -> None:
    register_artifact(folder, name="set")

    @step
    def count() -> int:
        return len(contents(Client().get_artifact_version("set").local_path()))

    @pipeline
    def counting() -> None:
        count()

    made = counting().steps["count"]
    assert made.output.load() == 3
    assert [version.name for version in made.inputs.values()] == ["set"]


def test_a_store_that_is_gone_is_told(folder: Path, home: Path) -> None:
    save_artifact(os.urandom(300_000), "c")
    (home / "store").rename(home / "unmounted")
    current_workspace().stores.close()
    with pytest.raises(StoreError, match="is its disk mounted"):
        Client().get_artifact_version("c").local_path()
