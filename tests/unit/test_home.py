"""The home: where it is, what makes it, and settings that are right or refused."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from artfs.errors import HomeError
from artfs.home.home import Home


def test_the_home_is_what_was_said_then_the_variable_then_the_usual(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Home.find(tmp_path / "said").path == tmp_path / "said"
    assert Home.find().path == home
    monkeypatch.delenv("ARTFS_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Home.find().path == tmp_path / "data" / "artfs"
    monkeypatch.chdir(tmp_path)
    assert Home.find(Path("here")).path == tmp_path / "here"


def test_creating_it_again_keeps_everything(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home").create()
    assert home.exists and home.store_root.is_dir() and home.cache.is_dir() and home.mounts.is_dir()
    assert home.path.stat().st_mode & 0o777 == 0o700
    identity = home.identity
    assert Home(home.path).create().identity == identity
    assert sorted(os.listdir(home.path)) == [f".begin-{identity}", "cache", "identity", "mounts", "store"]


def _identity(path: Path) -> str:
    return Home(path).create().identity


def test_processes_that_create_it_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_identity, [tmp_path / "home"] * 16))) == 1


def test_a_home_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HomeError, match=r"cannot make the artfs home at .*file/home: Not a directory"):
        Home(tmp_path / "file" / "home").create()
    with pytest.raises(HomeError, match="run 'artfs init'"):
        _ = Home(tmp_path / "none").identity


def test_settings_have_defaults_and_are_changed_in_place(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    assert (home.config.quiet_file_seconds, home.config.quiet_directory_seconds) == (2.0, 10.0)
    assert home.config.active_stack == "default"
    home.config_path.write_text("# mine\nquiet_file_seconds = 1.5  # short\n")
    assert Home(home.path).config.quiet_file_seconds == 1.5
    changed = Home(home.path).configure(active_stack="gpu")
    assert (changed.active_stack, changed.quiet_file_seconds) == ("gpu", 1.5)
    assert "# mine" in home.config_path.read_text() and "# short" in home.config_path.read_text()
    assert Home(home.path).configure(active_stack=None).active_stack == "default"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quiet = 1", r"unknown key 'quiet' in .*config.toml; known keys are quiet_file_seconds"),
        ("quiet_file_seconds = -1", r"bad value for 'quiet_file_seconds' in .*config.toml"),
        ("quiet_file_seconds = 'soon'", r"bad value for 'quiet_file_seconds'"),
        ("quiet_file_seconds = ", r"cannot read .*config.toml: Invalid value"),
        ("\udcff", r"cannot read .*config.toml"),
    ],
)
def test_bad_settings_name_the_key_and_the_file(tmp_path: Path, text: str, says: str) -> None:
    home = Home(tmp_path / "home").create()
    home.config_path.write_bytes(os.fsencode(text))
    with pytest.raises(HomeError, match=says) as caught:
        _ = home.config
    assert "\n" not in str(caught.value)


def test_a_bad_change_leaves_the_file_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    home.configure(active_stack="gpu")
    before = home.config_path.read_bytes()
    with pytest.raises(HomeError, match="unknown key"):
        home.configure(colour="blue")
    assert home.config_path.read_bytes() == before
