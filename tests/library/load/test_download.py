"""Files of a version are copied out as they are."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from artfs import register_artifact, save_artifact
from artfs.blobs.opener import BlobOpener
from artfs.blobs.reader import BlobReader
from artfs.client import Client
from artfs.content.digest import Digest
from artfs.errors import AlreadyExists, DigestMismatch, InvalidName, VersionNotFound
from artfs.objects.version import ArtifactVersionResponse
from support.stores import stored_files

LONG_AGO = 1_000_000_000 * 10**9


@pytest.fixture
def version(tmp_path: Path) -> ArtifactVersionResponse:
    """A version with sub-folders, a program, links, an empty folder and a file of several blocks."""
    folder = tmp_path / "source"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "sub" / "ünïcode.txt").write_text("text")
    (folder / "sub" / "deep" / "large.bin").write_bytes(os.urandom(9 * 2**20))
    (folder / "sub" / "link").symlink_to("../run.sh")
    for path in folder.rglob("*"):
        os.utime(path, ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)
    return register_artifact(folder, name="data")


def contents(directory: Path) -> dict[str, object]:
    """What a directory has: modes and contents of files, targets of links."""
    return {
        str(path.relative_to(directory)): os.readlink(path)
        if path.is_symlink()
        else (stat.S_IMODE(path.stat().st_mode), path.read_bytes() if path.is_file() else None)
        for path in directory.rglob("*")
    }


def unzipped(archive: zipfile.ZipFile, name: str) -> object:
    """What `unzip` makes of a member, in the form of `contents`."""
    mode = archive.getinfo(name).external_attr >> 16
    if stat.S_ISLNK(mode):
        return archive.read(name).decode()
    assert stat.S_ISDIR(mode) == name.endswith("/")
    return stat.S_IMODE(mode), None if stat.S_ISDIR(mode) else archive.read(name)


def test_a_directory_has_all_files_with_modes_links_and_times(version: ArtifactVersionResponse, tmp_path: Path) -> None:
    out = version.download_files(tmp_path / "new" / "out")
    assert contents(out) == contents(tmp_path / "source")
    assert {os.lstat(path).st_mtime_ns for path in out.rglob("*")} == {LONG_AGO}


def test_a_zip_has_all_files_with_modes_and_links(version: ArtifactVersionResponse, tmp_path: Path) -> None:
    archive = version.download_files(tmp_path / "out.zip")
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        assert "sub/deep/large.bin" in opened.namelist()
        assert {path.rstrip("/"): unzipped(opened, path) for path in opened.namelist()} == contents(tmp_path / "source")


def test_a_single_file_is_downloaded_too(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"model")
    version = register_artifact(tmp_path / "model.pkl", name="model")
    assert (version.download_files(tmp_path / "out") / "model.pkl").read_bytes() == b"model"
    with zipfile.ZipFile(version.download_files(tmp_path / "out.zip")) as opened:
        assert opened.read("model.pkl") == b"model"


def test_what_is_there_is_not_replaced_unless_asked(version: ArtifactVersionResponse, tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("mine")
    with pytest.raises(AlreadyExists, match=r"out\.zip"):
        version.download_files(tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_text() == "mine"
    version.download_files(tmp_path / "out.zip", overwrite=True)
    assert zipfile.is_zipfile(tmp_path / "out.zip")


def test_a_directory_with_files_is_only_filled_when_asked(version: ArtifactVersionResponse, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "mine.txt").write_text("mine")
    (out / "run.sh").symlink_to("mine.txt")
    with pytest.raises(AlreadyExists, match="not empty"):
        version.download_files(out)
    version.download_files(out, overwrite=True)
    assert (out / "mine.txt").read_text() == "mine"
    assert not (out / "run.sh").is_symlink()
    assert (out / "run.sh").read_text() == "#!/bin/sh\n"
    with pytest.raises(AlreadyExists, match="is a file"):
        version.download_files(out / "mine.txt", overwrite=True)


def test_an_empty_directory_is_filled(version: ArtifactVersionResponse, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert contents(version.download_files(tmp_path / "out")) == contents(tmp_path / "source")


@pytest.mark.parametrize("target", ["out", "out.zip"])
def test_a_damaged_file_stops_the_download_and_leaves_nothing(home: Path, tmp_path: Path, target: str) -> None:
    version = save_artifact(os.urandom(5 * 2**20), name="n", include_visualizations=False)
    damage_the_only_file(home)
    (tmp_path / "here").mkdir()
    with pytest.raises(DigestMismatch, match=r"data\.bin"):
        version.download_files(tmp_path / "here" / target)
    assert os.listdir(tmp_path / "here") == []


def test_a_damaged_file_does_not_take_the_place_of_a_good_one(home: Path, tmp_path: Path) -> None:
    version = save_artifact(os.urandom(5 * 2**20), name="n", include_visualizations=False)
    out = version.download_files(tmp_path / "out")
    before = (out / "data.bin").read_bytes()
    damage_the_only_file(home)
    with pytest.raises(DigestMismatch, match=r"data\.bin"):
        Client(home).get_artifact_version("n").download_files(out, overwrite=True)  # nothing of it is in memory
    assert os.listdir(out) == ["data.bin"]
    assert (out / "data.bin").read_bytes() == before


def damage_the_only_file(home: Path) -> None:
    """Change the last byte in the store."""
    [file] = stored_files(home / "store")
    file.chmod(0o644)
    with file.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        last = opened.read(1)
        opened.seek(-1, os.SEEK_END)
        opened.write(bytes([last[0] ^ 1]))


def test_a_removed_version_cannot_be_downloaded(tmp_path: Path) -> None:
    version = save_artifact(1, name="n")
    Client().delete_artifact_version("n", "1")
    with pytest.raises(VersionNotFound):
        version.download_files(tmp_path / "out")


@pytest.mark.parametrize("target", ["out", "out.zip"])
def test_a_version_that_is_removed_while_it_is_copied_is_said_to_be(
    home: Path, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = save_artifact(1, name="n")
    open_blob = BlobOpener.open

    def removed_just_before(blobs: BlobOpener, digest: Digest) -> BlobReader:
        Client(home).delete_artifact("n")
        return open_blob(blobs, digest)

    monkeypatch.setattr(BlobOpener, "open", removed_just_before)
    with pytest.raises(VersionNotFound, match="version n/1 was removed while it was copied"):
        version.download_files(tmp_path / target)
    assert not (tmp_path / target).exists()


def test_a_name_that_no_zip_can_have_is_told_and_a_directory_can(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "source")
    os.mkdir(folder)
    with open(os.path.join(folder, b"\xff.txt"), "wb") as file:
        file.write(b"x")
    version = register_artifact(os.fsdecode(folder), name="data")
    with pytest.raises(InvalidName, match="UTF-8"):
        version.download_files(tmp_path / "out.zip")
    version.download_files(tmp_path / "out")
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"\xff.txt"]


def test_times_that_a_zip_cannot_say_become_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    os.utime(tmp_path / "old", (0, 0))
    version = register_artifact(tmp_path / "old", name="old")
    with zipfile.ZipFile(version.download_files(tmp_path / "out.zip")) as opened:
        assert opened.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
