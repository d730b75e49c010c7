"""All that is in a home is for its owner, or for its group, whatever the umask and the folder's mode were."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from artfs import load_artifact, save_artifact
from artfs.cli import checks
from artfs.cli.checks import Level
from artfs.content.files import walk_files
from artfs.content.long_paths import reachable
from artfs.home.home import Home
from artfs.workspace.current import current_workspace
from artfs.workspace.modes import stores_of, wrong_modes
from support.deep import dig

Run = Callable[..., Result]


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def fill(home: Path) -> None:
    """Has everything made in a home that there can be, but for what a mount makes."""
    save_artifact({"small": 1}, "small")
    save_artifact([np.zeros(30_000)], "large")
    Home(home).configure(quiet_file_seconds=3)
    load_artifact("large")


def is_stored(path: Path) -> bool:
    """Whether a file of a home is one of a version, and not the store's own."""
    return path.parts[0] == "store" and path.parts[1:2] != (".artfs",)


def modes(home: Path) -> dict[str, int]:
    return {str(path.relative_to(home)): stat.S_IMODE(path.lstat().st_mode) for path in home.rglob("*")}


@pytest.mark.usefixtures("open_umask")
def test_a_home_in_a_folder_that_was_there_and_is_open(run: Run, home: Path) -> None:
    home.mkdir(mode=0o755)
    fill(home)
    run("exec", "--", "sh", "-c", "echo logged")
    found = modes(home)
    assert {"catalog.db", "catalog.db.lock", "identity", "config.toml", "logs"} <= found.keys()
    assert any(path.endswith("command.log") for path in found)
    wanted = {path: 0o700 if (home / path).is_dir() else 0o400 if is_stored(Path(path)) else 0o600 for path in found}
    assert found == wanted


@pytest.mark.usefixtures("open_umask")
def test_the_files_that_sqlite_makes_beside_the_catalog(home: Path) -> None:
    current_workspace().catalog.artifacts.ensure("kept-open")
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.glob("catalog.db*")}
    assert found == dict.fromkeys(["catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db.lock"], 0o600)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o755), (0o077, 0o700), (0o007, 0o770)])
def test_what_is_saved_is_a_version_as_the_umask_says(mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        assert save_artifact({"a": 1}, "saved").row.mode == mode
    finally:
        os.umask(before)


def test_wrong_modes_are_found_and_mended(run: Run, home: Path) -> None:
    fill(home)
    current_workspace().close()
    (home / "store" / "small").chmod(0o755)
    (home / "catalog.db").chmod(0o644)
    home.chmod(0o755)
    check = checks.modes(Home(home))
    assert check.level is Level.FAIL
    assert check.message == f"{home} has 0755 and must have 0700, and 2 more"
    assert "doctor --fix" in check.advice
    assert run("doctor").exit_code == 1
    run("doctor", "--fix")
    assert checks.modes(Home(home)).level is Level.OK
    assert stat.S_IMODE((home / "catalog.db").stat().st_mode) == 0o600


def test_a_folder_of_the_users_own_in_a_store_is_left_alone(run: Run, home: Path) -> None:
    fill(home)
    own = home / "store" / "notes"
    own.mkdir()
    own.chmod(0o777)
    run("doctor", "--fix")
    assert stat.S_IMODE(own.stat().st_mode) == 0o777


def group() -> str:
    """A group of whoever runs the tests: root may take any."""
    groups = [each for each in grp.getgrall() if each.gr_gid != os.getegid()]
    return next(each.gr_name for each in groups if os.geteuid() == 0 or each.gr_gid in os.getgroups())


def shared_wrongly(home: Path, group_id: int) -> list[str]:
    """What the members of a group cannot use as they should."""
    wrong = []
    for path in (home, *home.rglob("*")):
        status = path.lstat()
        wanted = 0o2770 if path.is_dir() else 0o440 if is_stored(path.relative_to(home)) else 0o660
        if (status.st_gid, stat.S_IMODE(status.st_mode)) != (group_id, wanted):
            wrong.append(f"{path} {status.st_gid} {stat.S_IMODE(status.st_mode):o}")
    return wrong


def test_a_home_for_a_group(run: Run, home: Path) -> None:
    group_id = grp.getgrnam(group()).gr_gid
    assert run("init", "--group", group()).exit_code == 0
    fill(home)
    run("exec", "--", "sh", "-c", "echo logged")
    assert shared_wrongly(home, group_id) == []
    assert checks.modes(Home(home)).level is Level.OK


def test_a_home_that_is_there_is_shared_as_a_whole(run: Run, home: Path) -> None:
    fill(home)
    current_workspace().close()
    assert run("init", "--group", group()).stdout.startswith(f"{home} is shared with the group {group()} now")
    assert shared_wrongly(home, grp.getgrnam(group()).gr_gid) == []


def test_a_deep_version_of_a_home_for_a_group(run: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    dig(tmp_path / "folder")
    run("init", "--group", group())
    save_artifact(tmp_path / "folder", "deep")
    shared = Home(home)
    assert list(wrong_modes(shared, stores_of(current_workspace()))) == []
    bottom = next(path for path in walk_files(bytes(home / "store")) if path.endswith(b"bottom"))
    with reachable(bottom) as at:
        os.chmod(at, 0o600)
    (wrong,) = wrong_modes(shared, stores_of(current_workspace()))
    assert (bytes(wrong.path), wrong.found, wrong.wanted) == (bottom, 0o600, 0o440)
    wrong.mend()
    assert list(wrong_modes(shared, stores_of(current_workspace()))) == []


def test_a_group_that_is_not_there(run: Run, home: Path) -> None:
    result = run("init", "--group", "no such group")
    assert result.exit_code == 1
    assert "there is no group 'no such group'" in result.stderr
    assert not home.exists()
