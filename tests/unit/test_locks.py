"""Locks on what is owed: one holder in all processes, freed by the kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from artfs.home.home import Home
from artfs.transfers.locks import Locks
from support.forks import forked, was_killed

HOLD = """
import os, sys
from pathlib import Path
from artfs.home.home import Home
from artfs.transfers.locks import Locks
with Locks(Home(Path(sys.argv[1]))).held("row") as is_mine:
    if sys.argv[2] != "fork" or os.fork() == 0:
        print(is_mine, flush=True)
    sys.stdin.read()
    os._exit(0)
"""


@pytest.fixture
def made(home: Path) -> Home:
    return Home(home).create()


@contextmanager
def holding(home: Home, how: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock, and goes when its input ends, like its child."""
    program = [sys.executable, "-c", HOLD, str(home.path), how]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process


def test_one_holds_it_in_a_process(made: Home) -> None:
    one, other = Locks(made), Locks(made)
    with one.held("row") as first, one.held("row") as again, other.held("row") as second, one.held("another") as third:
        assert (first, again, second, third) == (True, False, False, True)
        assert other.is_held("row")
    assert not other.is_held("row")
    with other.held("row") as second:
        assert second
    assert list((made.path / "locks").iterdir()) == []


def test_one_holds_it_in_all_processes_until_it_is_killed(made: Home) -> None:
    locks = Locks(made)
    with holding(made) as process:
        with locks.held("row") as is_mine:
            assert not is_mine
        assert locks.is_held("row")
        process.kill()
        process.wait()
        assert not locks.is_held("row")
        with locks.held("row") as is_mine:
            assert is_mine


def test_a_child_of_a_fork_holds_nothing(made: Home) -> None:
    """It lives on while its parent is dead, and does not do what that had begun."""
    locks = Locks(made)
    read, write = os.pipe()

    def wait() -> None:
        os.close(write)
        os.read(read, 1)

    with locks.held("row"):
        child = forked(wait)
        os.close(read)
        assert Locks(made).is_held("row")
    try:
        assert not locks.is_held("row")
    finally:
        os.close(write)
        assert not was_killed(child)


def test_nor_when_its_parent_was_killed(made: Home) -> None:
    with holding(made, "fork") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not Locks(made).is_held("row")


def test_its_file_comes_and_goes_and_it_has_one_holder(made: Home) -> None:
    """Whoever has opened the file that its holder then removes must not take that for the lock."""
    inside = made.path / "inside"

    def often(_: int) -> int:
        locks, times = Locks(made), 0
        while times < 100:
            with locks.held("row") as is_mine:
                if is_mine:
                    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                    inside.unlink()
                    times += 1
        return times

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(often, range(4))) == [100] * 4
