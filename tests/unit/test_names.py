"""Names: what users may call things, and what would leave the tree or hide something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.errors import InvalidName
from artfs.names import (
    check_artifact_name,
    check_entry_name,
    check_relative_path,
    check_tag_name,
    check_version_name,
)

CHECKS = [check_artifact_name, check_version_name, check_tag_name]

ORDINARY = ["iris", "two words", "a:b", ".hidden", "größe", "日本", "v1.0-rc+1", "x" * 254, "a@b"]
TOO_LONG = ["x" * 256, "é" * 128]
NOT_ONE_COMPONENT = ["", ".", "..", "a/b", "/", "a\0b"]
NOT_VISIBLE = ["a\nb", "a\x1bb", "a\x7fb", "a\x85b", " a", "a\t", "a ", "\udcff"]
RESERVED = [".artfs", ".artfs-x"]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_are_taken_as_they_are(check: Callable[[str], str], name: str) -> None:
    assert check(name) == name


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", [*TOO_LONG, *NOT_ONE_COMPONENT, *NOT_VISIBLE, *RESERVED])
def test_dangerous_names_are_refused_in_one_line(check: Callable[[str], str], name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check(name)
    line = str(caught.value)
    assert line.isprintable() and line.startswith("invalid ")
    assert caught.value.subject == name
    line.encode()


@given(st.text(max_size=20))
def test_a_name_that_passes_is_one_visible_path_component(name: str) -> None:
    try:
        check_artifact_name(name)
    except InvalidName:
        return
    encoded = name.encode()
    assert 0 < len(encoded) <= 255 and "/" not in name and "\0" not in name and name not in (".", "..")
    assert name == name.strip() and not name.startswith(".artfs")
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name)


@pytest.mark.parametrize("name", ["latest", "@prod", "@"])
def test_version_names_do_not_hide_the_links(name: str) -> None:
    with pytest.raises(InvalidName):
        check_version_name(name)
    assert check_artifact_name(name) == name


def test_a_tag_has_room_for_its_mark() -> None:
    assert check_artifact_name("x" * 255)
    with pytest.raises(InvalidName):
        check_tag_name("x" * 255)


@given(st.binary(min_size=1, max_size=255).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..")))
def test_files_may_have_any_name_that_a_file_system_has(name: bytes) -> None:
    assert check_entry_name(name) == name


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0", b"x" * 256])
def test_but_no_other(name: bytes) -> None:
    with pytest.raises(InvalidName):
        check_entry_name(name)


def test_artfs_is_reserved_only_directly_in_a_version() -> None:
    assert check_entry_name(b".artfs") == b".artfs"
    assert check_relative_path(b"a/.artfs/b") == b"a/.artfs/b"
    for check in (lambda: check_entry_name(b".artfs", at_root=True), lambda: check_relative_path(b".artfs-x/b")):
        with pytest.raises(InvalidName, match="reserved"):
            check()


@pytest.mark.parametrize("path", [b"", b"/a", b"a//b", b"a/", b"a/../b", b"../a", b"./a", b"a/\0"])
def test_paths_that_could_leave_are_refused(path: bytes) -> None:
    with pytest.raises(InvalidName):
        check_relative_path(path)
