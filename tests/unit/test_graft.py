"""What was scanned in several places is put together as if it had been scanned in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from artfs.artifacts.graft import grafted
from artfs.artifacts.scan import Scanned, scan


def made(top: Path, files: dict[str, str]) -> Scanned:
    top.mkdir()
    top.chmod(0o750)
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return scan(top)


def contents(scanned: Scanned) -> dict[str, str]:
    return {file.path.decode("utf-8", "surrogateescape"): file.source.read_text() for file in scanned.files}


FOUND = {"b/a": "1", "b/z/a": "2", "c": "3"}
PART = {"x": "4", "y/z": "5"}

PLACES: dict[str, dict[str, str]] = {
    "a": {"a/x": "4", "a/y/z": "5", **FOUND},
    "d": {**FOUND, "d/x": "4", "d/y/z": "5"},
    "b": {"b/x": "4", "b/y/z": "5", "c": "3"},
    "b/z": {"b/a": "1", "b/z/x": "4", "b/z/y/z": "5", "c": "3"},
    "b/new/er": {"b/a": "1", "b/new/er/x": "4", "b/new/er/y/z": "5", "b/z/a": "2", "c": "3"},
    "c": {"b/a": "1", "b/z/a": "2", "c/x": "4", "c/y/z": "5"},
    "sp ace\n": {**FOUND, "sp ace\n/x": "4", "sp ace\n/y/z": "5"},
    "\udcff": {**FOUND, "\udcff/x": "4", "\udcff/y/z": "5"},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_directory_in_place_of_what_was_there(tmp_path: Path, place: str) -> None:
    found, part = made(tmp_path / "found", FOUND), made(tmp_path / "part", PART)
    whole = grafted(found, place.encode("utf-8", "surrogateescape"), part)
    assert contents(whole) == PLACES[place]
    as_one = made(tmp_path / "whole", PLACES[place])
    assert [path for path, _ in whole.tree.walk()] == [path for path, _ in as_one.tree.walk()]
    assert [file.path for file in whole.files] == [file.path for file in as_one.files]
    assert [file.digest for file in whole.files] == [file.digest for file in as_one.files]
    assert (whole.mode, whole.mtime_ns) == (found.mode, found.mtime_ns)
    assert whole.tree.bytes == sum(map(len, PLACES[place].values()))


@pytest.mark.parametrize(
    ("place", "expected"),
    {
        "a": {"a": "6", **FOUND},
        "c": {**FOUND, "c": "6"},
        "b/z/n": {**FOUND, "b/z/n": "6"},
        "n/m": {**FOUND, "n/m": "6"},
    }.items(),
)
def test_a_file_in_place_of_what_was_there(tmp_path: Path, place: str, expected: dict[str, str]) -> None:
    found = made(tmp_path / "found", FOUND)
    (tmp_path / "kept").write_text("6")
    part = scan(tmp_path / "kept", entry_name=place.rpartition("/")[2].encode())
    whole = grafted(found, place.encode(), part, is_file=True)
    assert contents(whole) == expected
    as_one = made(tmp_path / "whole", expected)
    assert [path for path, _ in whole.tree.walk()] == [path for path, _ in as_one.tree.walk()]


def test_what_is_not_on_the_way_is_what_it_was(tmp_path: Path) -> None:
    found, part = made(tmp_path / "found", FOUND), made(tmp_path / "part", PART)
    once = grafted(found, b"b/new", part)
    again = grafted(once, b"b/new", part)
    assert again.tree.digest == once.tree.digest
    before = {path: entry for path, entry in found.tree.walk() if path not in (b"b",)}
    after = {path: entry for path, entry in once.tree.walk() if path in before}
    assert after == before


def test_owners_of_both_are_owners(tmp_path: Path) -> None:
    found, part = made(tmp_path / "found", FOUND), made(tmp_path / "part", PART)
    assert grafted(found, b"a", part).owners == found.owners | part.owners
