"""Which processes wrote a draft, and whether they have ended."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Collection

from artfs.linux.processes import ancestors, is_kernel_thread, process_of
from artfs_mount.incoming.complete.process import UNKNOWN, UNSEEN, Ending, How, Process
from artfs_mount.incoming.complete.writers import all_ended
from artfs_mount.incoming.observed import ACTORS_AT_FIRST, Observer
from artfs_mount.incoming.writers import Processes


def process(thread: int) -> Process:
    """The process of a thread, looked at anew."""
    found = Processes().of(thread)
    assert found is not None
    return found


def have_ended(processes: Collection[Process], except_for: Collection[int] = ()) -> bool:
    return all_ended(Processes().look(processes, {}), except_for)


def test_a_writer_that_runs_has_not_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        writers = {process(running.pid)}
        assert not have_ended(writers)
        assert have_ended(writers, except_for=frozenset({running.pid}))
        running.communicate(b"\n")
    assert have_ended(writers)
    assert have_ended([])


def test_a_number_that_is_used_again_is_another_process() -> None:
    me = process(os.getpid())
    assert not have_ended([me])
    assert have_ended([me._replace(started=(me.started or 0) - 1)])


def test_a_writer_that_cannot_be_seen_may_still_run() -> None:
    assert process(0) == UNSEEN
    assert not have_ended([UNSEEN])


def test_a_writer_that_may_not_be_looked_at_may_still_run_and_may_write() -> None:
    """As with other users' processes where /proc is mounted with hidepid, or when no descriptor is free."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        seen, observer = process(running.pid), Observer(Processes())
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            unseen = process(running.pid)
            assert observer.writer(running.pid) is None
            assert not have_ended([seen])
            assert not have_ended([unseen])
            assert Processes().ending_of(seen) == UNKNOWN
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            running.communicate(b"\n")
    assert have_ended([seen])
    assert not have_ended([unseen])


def test_who_has_ended_takes_no_memory() -> None:
    """A mount lives for months, and every command that reads from it is somebody new."""
    observer = Observer(Processes())
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
    assert Processes().of(kthreadd) is None


def test_ancestors_are_the_way_up() -> None:
    found = ancestors(os.getpid())
    assert {os.getpid(), os.getppid()} <= found
    assert process_of(os.getpid()) == os.getpid()


def test_how_a_process_lets_go_of_its_files() -> None:
    """A process that is not waited for yet shows what the kernel shows while it closes the files of one that ends."""
    ending_of = Processes().ending_of
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        known = process(running.pid)
        assert ending_of(known) == Ending(How.CLOSED)
        assert ending_of(known._replace(started=1)) == UNKNOWN
        running.kill()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert ending_of(known) == Ending(How.KILLED, signal.SIGKILL)
    assert ending_of(known) == UNKNOWN
    with subprocess.Popen([sys.executable, "-c", "input(); exit(3)"], stdin=subprocess.PIPE) as running:
        known = process(running.pid)
        assert running.stdin is not None
        running.stdin.write(b"\n")
        running.stdin.flush()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert ending_of(known) == Ending(How.EXITED, 3)
    assert ending_of(None) == ending_of(UNSEEN) == UNKNOWN
