"""Which processes wrote a draft, and whether they have ended."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from artfs.processes import ancestors, is_kernel_thread, process_of
from artfs_mount.incoming.observed import ACTORS_AT_FIRST, Observer
from artfs_mount.incoming.processes import Writers


def test_a_writer_that_runs_has_not_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        writers = Writers()
        writers.add(process.pid)
        assert not writers.have_ended()
        assert writers.have_ended(except_for=frozenset({process.pid}))
        process.communicate(b"\n")
    assert writers.have_ended()


def test_a_writer_that_cannot_be_seen_may_still_run() -> None:
    writers = Writers()
    writers.add(0)
    assert not writers.have_ended()


def test_a_writer_that_may_not_be_looked_at_may_still_run_and_may_write() -> None:
    """As with other users' processes where /proc is mounted with hidepid, or when no descriptor is free."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        seen, unseen, observer = Writers(), Writers(), Observer()
        seen.add(process.pid)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            unseen.add(process.pid)
            assert observer.writer(process.pid) is None
            assert not seen.have_ended()
            assert not unseen.have_ended()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            process.communicate(b"\n")
    assert seen.have_ended()
    assert not unseen.have_ended()


def test_who_has_ended_takes_no_memory() -> None:
    """A mount lives for months, and every command that reads from it is somebody new."""
    observer = Observer()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, process_group=0) as alive:
        known = observer.writer(alive.pid)
        assert known is not None
        for _ in range(3 * ACTORS_AT_FIRST):
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE, process_group=0) as passing:
                observer.read(passing.pid, 1)
                passing.communicate(b"")
        assert len(observer) <= ACTORS_AT_FIRST
        assert observer.writer(alive.pid) is known
        alive.communicate(b"\n")


def test_the_kernel_is_no_writer() -> None:
    kthreadd = 2
    assert is_kernel_thread(kthreadd)
    assert not is_kernel_thread(os.getpid())
    writers = Writers()
    writers.add(kthreadd)
    assert writers.have_ended()


def test_ancestors_are_the_way_up() -> None:
    found = ancestors(os.getpid())
    assert {os.getpid(), os.getppid()} <= found
    assert process_of(os.getpid()) == os.getpid()
