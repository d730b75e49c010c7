"""Work that is done with the rights of another user can do what that user can, and nothing more."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from artfs.linux.users import NOBODY, Account, by_name, by_uid, name_of
from artfs_mount.incoming.as_user import run_as
from support.users import let_all_reach

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take the rights of others")

BEA = Account(31_234, 31_234, frozenset({31_300}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that everybody can reach."""
    let_all_reach(tmp_path)
    return tmp_path


def file(path: Path, uid: int, gid: int, mode: int) -> Path:
    path.write_text(path.name)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def test_what_the_user_and_his_groups_may_read_is_read(folder: Path) -> None:
    for path in (
        file(folder / "own", 31_234, 0, 0o400),
        file(folder / "group", 0, 31_234, 0o040),
        file(folder / "second-group", 0, 31_300, 0o040),
        file(folder / "all", 0, 0, 0o004),
    ):
        assert run_as(BEA, path.read_text) == path.name


def test_what_they_may_not_is_refused(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for path in (
        file(folder / "roots", 0, 0, 0o600),
        file(folder / "other-group", 0, 31_301, 0o640),
        file(folder / "group-alone-is-kept-out", 0, 31_300, 0o604),
        file(closed / "inside", 0, 0, 0o644),
    ):
        with pytest.raises(PermissionError):
            run_as(BEA, path.read_text)


def test_the_thread_alone_gives_its_rights_up(folder: Path) -> None:
    roots = file(folder / "roots", 0, 0, 0o600)
    inside, outside = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert outside.wait(30)

    other = threading.Thread(target=run_as, args=(BEA, wait))
    other.start()
    try:
        assert inside.wait(30)
        assert roots.read_text() == "roots", "while another thread is somebody else"
        assert os.getgroups() != [31_300]
    finally:
        outside.set()
        other.join()


def test_users_are_found_by_the_names_that_they_are_given() -> None:
    assert (name_of(0), by_name("root")) == ("root", by_uid(0))
    assert (name_of(31_234), by_name("31234")) == ("31234", Account(31_234, NOBODY, frozenset()))
    assert by_name("nobody of this name") is None
    assert by_name("99999999999") is None
