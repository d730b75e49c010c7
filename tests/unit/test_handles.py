"""The table of open files: nobody takes what others need."""

from __future__ import annotations

import errno
import os

import pytest

from artfs_mount.fuse.handles import OWN_DESCRIPTORS, Handles, TextHandle
from artfs_mount.incoming.callers import Caller

LIMIT = OWN_DESCRIPTORS + 400
BEA, CARL, ROOT = Caller(31_234, 31_234, 0), Caller(31_235, 31_235, 0), Caller(0, 0, 0)


def open_all(handles: Handles, caller: Caller) -> list[int]:
    """Opens files until the table refuses."""
    opened = []
    while True:
        try:
            handles.admit(caller)
        except OSError as error:
            assert error.errno == errno.EMFILE
            return opened
        opened.append(handles.add(TextHandle(b""), caller.uid))


def test_each_user_gets_half_of_what_the_others_leave() -> None:
    handles = Handles(LIMIT)
    assert [len(open_all(handles, Caller(uid, uid, 0))) for uid in (31_234, 31_235, 31_236)] == [200, 100, 50]


def test_root_gets_all_that_is_left_and_the_daemon_keeps_its_own() -> None:
    handles = Handles(LIMIT)
    others = len(open_all(handles, BEA))
    assert len(open_all(handles, ROOT)) == 400 - others
    assert LIMIT - len(handles) == OWN_DESCRIPTORS


def test_what_is_closed_can_be_opened_again() -> None:
    handles = Handles(LIMIT)
    for number in open_all(handles, BEA):
        handles.close(number)
    assert len(handles) == 0
    assert len(open_all(handles, CARL)) == 200


@pytest.mark.skipif(os.geteuid() == 0, reason="root is trusted anyway")
def test_the_daemons_own_user_is_trusted() -> None:
    assert Caller(os.geteuid(), os.getegid(), 0).is_trusted
