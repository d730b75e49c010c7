"""Paths are kept as the files they name, and texts in a format as a file of that format."""

from __future__ import annotations

import os
import stat
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.content.reach import is_closed_above
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import InvalidValue, MaterializerError, SourceNotFound, UnsupportedFile
from artfs.materializers.paths import PathMaterializer, PreexistingDataMaterializer
from artfs.materializers.registry import materializer_for
from artfs.materializers.strings import StructuredStringMaterializer
from artfs.types import CSVString, HTMLString, JSONString, MarkdownString
from support.round_trip import files, identical, load, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, an empty file, an empty folder and a link."""
    source = tmp_path / "data set"
    (source / "sub" / "empty").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "sub" / "b.sh").write_text("#!/bin/sh\n")
    (source / "sub" / "b.sh").chmod(0o755)
    (source / "none").touch()
    os.utime(source / "a.txt", ns=(1, 1_234_567_890_123_456_789))
    (source / "sub" / "link").symlink_to("../a.txt")
    return source


def test_the_choice_for_paths() -> None:
    assert materializer_for(Path) is PathMaterializer
    assert materializer_for(Path("x")) is PathMaterializer


def test_a_folder_comes_back_as_the_path_of_its_files(tmp_path: Path, folder: Path) -> None:
    save(folder, tmp_path / "saved")
    loaded = load(tmp_path / "saved", type(folder))
    assert loaded.name == "data set"
    assert files(loaded) == ["a.txt", "none", "sub/b.sh", "sub/link"]
    assert (loaded / "sub" / "empty").is_dir()
    assert (loaded / "a.txt").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert stat.S_IMODE((loaded / "sub" / "b.sh").stat().st_mode) == 0o755
    assert os.readlink(loaded / "sub" / "link") == "../a.txt"


def test_a_file_comes_back_as_its_path(tmp_path: Path, folder: Path) -> None:
    save(folder / "a.txt", tmp_path / "saved")
    loaded = load(tmp_path / "saved", type(folder))
    assert (loaded.name, loaded.read_text()) == ("a.txt", "a")


def test_the_saved_files_are_copies(tmp_path: Path, folder: Path) -> None:
    save(folder, tmp_path / "saved")
    (folder / "a.txt").write_text("changed")
    assert (load(tmp_path / "saved", type(folder)) / "a.txt").read_text() == "a"


def test_paths_in_containers_are_kept_as_files(tmp_path: Path, folder: Path) -> None:
    save({"train": folder, "one": [folder / "a.txt"]}, tmp_path / "saved")
    assert "items/one.0/a.txt" in files(tmp_path / "saved")
    assert "items/train/data set/a.txt" in files(tmp_path / "saved")
    loaded = load(tmp_path / "saved", dict)
    assert loaded["one"][0].read_text() == "a"
    assert files(loaded["train"]) == files(folder)


def test_a_relative_path_keeps_the_name_it_leads_to(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "sub")
    save(Path(".."), tmp_path / "saved")
    assert load(tmp_path / "saved", type(folder)).name == "data set"


def test_links_that_lead_out_are_copied(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.txt").write_text("c")
    (tmp_path / "outside" / "again").symlink_to("c.txt")
    (folder / "out").symlink_to("../outside")
    (folder / "absolute").symlink_to(folder / "a.txt")
    save(folder, tmp_path / "saved")
    loaded = load(tmp_path / "saved", type(folder))
    assert not (loaded / "out").is_symlink()
    assert (loaded / "out" / "c.txt").read_text() == "c"
    assert os.readlink(loaded / "out" / "again") == "c.txt"
    assert not (loaded / "absolute").is_symlink()
    assert (loaded / "absolute").read_text() == "a"


def test_what_is_not_there_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"missing does not exist.*str\(path\)"):
        save(folder / "missing", tmp_path / "saved")
    (folder / "dangling").symlink_to("/no/such/place")
    with pytest.raises(SourceNotFound, match=r"dangling leads to /no/such/place"):
        save(folder, tmp_path / "saved")


def test_a_link_to_a_folder_around_it_is_refused(tmp_path: Path, folder: Path) -> None:
    (folder / "sub" / "up").symlink_to(tmp_path)
    with pytest.raises(InvalidValue, match="lies in itself"):
        save(folder, tmp_path.parent / f"{tmp_path.name}-saved")


def test_a_fifo_is_refused(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnsupportedFile, match="pipe"):
        save(folder, tmp_path / "saved")


def test_a_directory_that_is_no_saved_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match="0 entries"):
        load(tmp_path, type(tmp_path))


def test_metadata_of_paths(tmp_path: Path, folder: Path) -> None:
    assert PathMaterializer(tmp_path).extract_metadata(folder) == {"name": "data set", "files": 4}
    assert PathMaterializer(tmp_path).extract_metadata(folder / "a.txt") == {"name": "a.txt"}


def test_existing_data_is_its_path_and_is_never_saved(folder: Path) -> None:
    assert PreexistingDataMaterializer(folder).load(Path) == folder
    with pytest.raises(MaterializerError, match="register_artifact"):
        PreexistingDataMaterializer(folder).save(folder)


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (CSVString("a,b\r\n1,2\r\n"), "output.csv", VisualizationType.CSV),
        (HTMLString("<p>é</p>"), "output.html", VisualizationType.HTML),
        (MarkdownString("# Title\n"), "output.md", VisualizationType.MARKDOWN),
        (JSONString('{"a": 1}'), "output.json", VisualizationType.JSON),
    ],
)
def test_texts_are_files_of_their_format(tmp_path: Path, text: str, name: str, kind: VisualizationType) -> None:
    saver = save(text, tmp_path / "saved")
    assert (tmp_path / "saved" / name).read_bytes() == text.encode()
    assert identical(load(tmp_path / "saved", type(text)), text)
    assert saver.save_visualizations(text) == {str(tmp_path / "saved" / name): kind}
    assert saver.extract_metadata(text) == {"length": len(text)}
    assert saver.ASSOCIATED_ARTIFACT_TYPE is ArtifactType.DATA_ANALYSIS


def test_texts_in_containers_keep_their_type(tmp_path: Path) -> None:
    value = {"report": HTMLString("<p>"), "plain": "<p>"}
    save(value, tmp_path)
    assert (tmp_path / "items" / "report" / "output.html").read_text() == "<p>"
    assert identical(load(tmp_path, dict), value)


def test_texts_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match="no valid text"):
        save(HTMLString("\ud800"), tmp_path)
    with pytest.raises(MaterializerError, match="str is none of CSVString"):
        StructuredStringMaterializer(tmp_path).save("text")


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Path]:
    """A folder that everybody reaches; the others of a test lie in one that is closed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        if is_closed_above(Path(name).resolve() / "x"):
            pytest.skip("no folder here is open to everybody")
        yield Path(name).resolve()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("closed", [False, True])
def test_a_copy_is_closed_where_a_folder_above_keeps_others_out(tmp_path: Path, open_place: Path, closed: bool) -> None:
    above = open_place / "above"
    (above / "set").mkdir(parents=True)
    (above / "set" / "file").write_text("x")
    (above / "set" / "file").chmod(0o644)
    (above / "set").chmod(0o755)
    above.chmod(0o700 if closed else 0o755)
    save(above / "set" / "file", tmp_path / "file")
    save(above / "set", tmp_path / "folder")
    assert mode(tmp_path / "file" / "file") == (0o600 if closed else 0o644)
    assert mode(tmp_path / "folder" / "set") == (0o700 if closed else 0o755)
    assert mode(tmp_path / "folder" / "set" / "file") == 0o644, "what is in a closed folder keeps its mode"


def test_so_is_what_a_link_leads_to(tmp_path: Path, open_place: Path) -> None:
    (open_place / "closed").mkdir(mode=0o700)
    (open_place / "closed" / "file").write_text("x")
    (open_place / "closed" / "file").chmod(0o644)
    (open_place / "set").mkdir(mode=0o755)
    (open_place / "set" / "link").symlink_to(open_place / "closed" / "file")
    save(open_place / "set", tmp_path / "saved")
    assert mode(tmp_path / "saved" / "set") == 0o755
    assert mode(tmp_path / "saved" / "set" / "link") == 0o600


def test_so_is_what_an_access_control_list_closes(tmp_path: Path, open_place: Path) -> None:
    file = open_place / "listed"
    file.write_text("x")
    file.chmod(0o644)
    tags = [(0x01, 6, -1), (0x02, 0, 31_234), (0x04, 4, -1), (0x10, 4, -1), (0x20, 4, -1)]
    entries = b"".join(struct.pack("<HHi", *tag) for tag in tags)  # owner, a user: nothing, group, mask, others
    try:
        os.setxattr(file, "system.posix_acl_access", struct.pack("<I", 2) + entries)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
    save(file, tmp_path / "saved")
    assert mode(tmp_path / "saved" / "listed") == 0o600
