"""Ctrl-C ends long work at once, leaves nothing behind, and long work shows how far it is from its first moment."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artfs.artifacts.register import register
from artfs.workspace.workspace import Workspace
from support.mount import ARTFS
from support.stores import stored_files

HOURS = 2**43
"""Bytes of a hole that take far longer to hash than any test may last."""


@contextmanager
def _on_terminal(*command: str | Path) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[bytes], bytes]]]:
    """A command on a terminal, and a function that reads what it shows until something is there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    process = subprocess.Popen([ARTFS, *map(str, command)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""

    def until(what: bytes) -> bytes:
        nonlocal shown
        while what not in shown:
            shown += os.read(ours, 65536)
        return shown

    try:
        yield process, until
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.fixture(params=["a file", "a folder"])
def huge(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Data that cannot be hashed while the test lasts."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        with (folder / f"hole-{number}").open("wb") as file:
            file.truncate(HOURS)
    return folder if request.param == "a folder" else folder / "hole-0"


def test_registering_ends_at_once_and_leaves_nothing(workspace: Workspace, home: Path, huge: Path) -> None:
    assert workspace.catalog.artifacts.count() == 0
    with _on_terminal("artifact", "register", huge, "data") as (process, until):
        until(b"measuring")
        until(b"TiB")  # how much there is
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        until(b"artfs: interrupted")
        assert process.wait(timeout=60) == 130
        assert time.monotonic() - began < 10, "it ended because it was told to"
    assert workspace.catalog.artifacts.count() == 0
    assert stored_files(home / "store") == []


def test_registering_shows_how_far_it_is(workspace: Workspace, huge: Path) -> None:
    assert workspace.catalog.artifacts.count() == 0
    with _on_terminal("artifact", "register", huge, "data") as (_, until):
        until(b"measuring")
        until(b"TiB")
        until(b"B/s")


def test_all_of_a_registration_is_counted(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for number in range(100):
        (folder / f"{number % 7}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 7}" / f"{number}").write_bytes(b"x" * number)
    (folder / "large").write_bytes(os.urandom(9 * 2**20))
    for source in (folder, folder / "large"):
        done: list[int] = []
        expected: list[int] = []
        made = register(workspace, source, "data", advance=done.append, expect=expected.append)
        assert sum(done) == sum(expected) == made.bytes
