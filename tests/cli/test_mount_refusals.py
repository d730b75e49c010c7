"""Where `artfs mount` and its kin cannot work they say why in one line, and change nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.cli import mount

Process = Callable[..., "subprocess.CompletedProcess[str]"]


def _refused(done: subprocess.CompletedProcess[str], home: Path, *words: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("artfs: ")
    assert [word for word in words if word not in done.stderr] == []
    assert not home.exists()


@pytest.mark.parametrize("options", [[], ["--foreground"]])
def test_a_mount_point_that_is_missing(artfs: Process, home: Path, tmp_path: Path, options: list[str]) -> None:
    _refused(artfs("mount", *options, tmp_path / "nope"), home, "there is no such directory", "mkdir -p")
    assert not (tmp_path / "nope").exists()


def test_a_mount_point_that_is_a_file(artfs: Process, home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _refused(artfs("mount", tmp_path / "file"), home, "it is not a directory")


def test_a_mount_point_that_is_not_empty(artfs: Process, home: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    _refused(artfs("mount", tmp_path / "full"), home, "it is not empty", "choose an empty directory")


def test_a_mount_point_where_something_else_is_mounted(artfs: Process, home: Path) -> None:
    _refused(artfs("mount", "/proc"), home, "a proc is mounted there")


@pytest.mark.parametrize("missing", ["artfs_mount", "pyfuse3"])
def test_the_daemon_is_not_installed(
    run: Callable[..., Result], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(mount, "find_spec", lambda name: None if name == missing else object())
    result = run("mount", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"artfs: mounting needs {missing}; install it: pip install 'artfs[mount]'\n"


def test_a_daemon_that_ends_without_a_word(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount.sys, "executable", "/bin/false")
    result = run("mount", tmp_path)
    assert result.exit_code == 1
    assert "the daemon ended before it served the mount: exit code 1; its log is daemon.log" in result.stderr


def test_a_daemon_that_crashes_as_it_starts(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = tmp_path / "python"
    daemon.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'ImportError: libfuse3.so.3' >&2\nexit 1\n")
    daemon.chmod(0o755)
    monkeypatch.setattr(mount.sys, "executable", str(daemon))
    assert "the daemon ended before it served the mount: ImportError: libfuse3.so.3" in run("mount", tmp_path).stderr


@pytest.mark.parametrize("command", [["umount"], ["umount", "--lazy"]])
def test_unmounting_what_is_not_mounted(artfs: Process, home: Path, tmp_path: Path, command: list[str]) -> None:
    _refused(artfs(*command, tmp_path), home, str(tmp_path), "nothing is mounted there", "artfs status")


def test_unmounting_what_is_not_ours(artfs: Process, home: Path) -> None:
    _refused(artfs("umount", "/proc"), home, "it is not ours, a proc is mounted there")


@pytest.mark.parametrize("command", ["sync", "status", "commit"])
def test_a_directory_that_is_in_no_mount(artfs: Process, home: Path, tmp_path: Path, command: str) -> None:
    _refused(artfs(command, tmp_path), home, f"{tmp_path}: it is not in a mount of artfs", "artfs mount DIR")
