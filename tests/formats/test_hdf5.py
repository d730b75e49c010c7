"""HDF5 says where it ends, and was closed or not."""

from __future__ import annotations

import struct

import pytest

from support.formats import cuts, fault, found, is_proven, is_sound
from support.hdf5_files import FIRST_OF_SEVERAL, KILLED, WHOLE, unpacked


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("file", ["weights.h5", "data.nc", "no-ending"])
def test_a_file_that_was_closed(name: str, file: str) -> None:
    whole = unpacked(name)
    if name.endswith("block") and file == "no-ending":
        assert found(file, whole) is None, "it begins as its user likes"
    else:
        assert is_proven(file, whole)


@pytest.mark.parametrize("name", WHOLE)
def test_wherever_it_is_cut(name: str) -> None:
    whole = unpacked(name)
    begin = whole.index(b"\x89HDF") + 8
    lengths = [length for length in cuts(len(whole), borders=[begin]) if length >= begin]
    assert [length for length in lengths if fault("a.h5", whole[:length]) is None] == []
    assert fault("a.h5", whole[:-9]) == f"its superblock says {len(whole)} bytes, {len(whole) - 9} are there"


@pytest.mark.parametrize("name", KILLED)
def test_a_file_whose_writer_was_killed(name: str) -> None:
    assert (fault("a.h5", unpacked(name)) or "").startswith("it was not closed: its superblock says ")


@pytest.mark.parametrize("name", FIRST_OF_SEVERAL)
def test_a_file_that_is_one_of_several_ends_elsewhere(name: str) -> None:
    first = unpacked(name)
    assert is_sound("a00000.h5", first)
    assert found("a00001.h5", bytes(len(first))) is None


def test_flags_that_old_releases_left_are_no_fault() -> None:
    old = bytearray(unpacked("v0"))
    old[20] = 3
    assert is_proven("a.h5", bytes(old))
    assert is_sound("a.h5", bytes(old) + b"\n")


def test_more_bytes_than_it_says_are_no_fault() -> None:
    """HDF5 reads it as it was."""
    assert is_sound("a.h5", unpacked("v0") + b"more")
    assert is_sound("a.h5", b"\0" * 512 + unpacked("v0"))


def test_version_1_has_four_bytes_more() -> None:
    old = unpacked("v0")
    (end,) = struct.unpack_from("<Q", old, 40)
    new = bytearray(old[:24] + bytes(4) + old[24:])
    new[8] = 1
    struct.pack_into("<Q", new, 44, end + 4)
    assert is_proven("a.h5", bytes(new))
    assert fault("a.h5", bytes(new[:-1])) == f"its superblock says {end + 4} bytes, {end + 3} are there"


def test_versions_and_sizes_that_are_not_known() -> None:
    for at, value in ((8, 4), (13, 3)):
        changed = bytearray(unpacked("v0"))
        changed[at] = value
        assert is_sound("a.h5", bytes(changed[:-5]))
