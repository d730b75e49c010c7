"""What a caller may do to a draft follows from its owner, its group and its mode."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from artfs.linux.processes import groups_of
from artfs_mount.incoming.callers import Caller

OWNER, GROUP, OTHER = 31_234, 31_300, 31_235


def status(mode: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, OWNER, GROUP, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "group", "other"),
    [
        (stat.S_IFREG | 0o600, True, False, False),
        (stat.S_IFREG | 0o660, True, True, False),
        (stat.S_IFREG | 0o606, True, False, True),
        (stat.S_IFREG | 0o000, True, False, False),
        (stat.S_IFDIR | 0o770, True, True, False),
        (stat.S_IFDIR | 0o762, True, False, False),  # to write without x is nothing
        (stat.S_IFDIR | 0o757, True, False, True),
        (stat.S_IFLNK | 0o777, True, False, False),
    ],
)
def test_who_may_write(mode: int, *, owner: bool, group: bool, other: bool) -> None:
    found = status(mode)
    assert Caller(OWNER, OWNER, 0).may_write(found) is owner
    assert Caller(OTHER, GROUP, 0).may_write(found) is group
    assert Caller(OTHER, OTHER, 0).may_write(found) is other
    assert Caller(0, 0, 0).may_write(found)


def test_who_may_look_is_who_may_read_or_write() -> None:
    assert Caller(OTHER, OTHER, 0).may_look(status(stat.S_IFREG | 0o604))
    assert Caller(OTHER, OTHER, 0).may_look(status(stat.S_IFREG | 0o602))
    assert not Caller(OTHER, OTHER, 0).may_look(status(stat.S_IFREG | 0o640))
    assert not Caller(OTHER, OTHER, 0).may_look(status(stat.S_IFLNK | 0o777))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take other groups")
def test_the_groups_of_a_caller_count_as_long_as_he_is_that_user(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"], user=OTHER, group=OTHER, extra_groups=[GROUP])
    try:
        assert groups_of(process.pid, OTHER) == {GROUP}
        assert Caller(OTHER, OTHER, process.pid).may_write(status(stat.S_IFREG | 0o660))
        assert groups_of(process.pid, OWNER) == frozenset(), "the number is somebody else's by now"
    finally:
        process.kill()
        process.wait()
    assert groups_of(process.pid, OTHER) == frozenset()
