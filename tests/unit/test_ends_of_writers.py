"""How processes that write are doing and how they ended, as root and a plain user see it of their own and of others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from artfs_mount.incoming.complete.process import UNKNOWN, UNSEEN, Ending, How
from artfs_mount.incoming.complete.writers import Doing
from support.mount import MYSELF, PATIENCE_SECONDS, User, plain_user
from support.users import BEA
from support.watcher import Watcher, watcher

ENDS = {
    "exit 0": Ending(How.EXITED, 0),
    "exit 1": Ending(How.EXITED, 1),
    "exit 255": Ending(How.EXITED, 255),
    "kill -KILL $$": Ending(How.KILLED, signal.SIGKILL),
    "kill -TERM $$": Ending(How.KILLED, signal.SIGTERM),
    "trap 'exit 143' TERM; kill -TERM $$": Ending(How.EXITED, 143),
    "exec sh -c 'exit 4'": Ending(How.EXITED, 4),
}
THREADS = {
    "threading.Thread(target=os._exit, args=[0]).start(); signal.pause()": Ending(How.EXITED, 0),
    "threading.Thread(target=os._exit, args=[3]).start(); signal.pause()": Ending(How.EXITED, 3),
    "threading.Thread(target=os.execlp, args=['sh', 'sh', '-c', 'exit 4']).start(); signal.pause()": Ending(
        How.EXITED, 4
    ),
    "threading.Thread(target=os.kill, args=[os.getpid(), 9]).start(); signal.pause()": Ending(How.KILLED, 9),
}
VIEWS = {
    "root, its own": (MYSELF, MYSELF, True),
    "root, another's": (MYSELF, BEA, True),
    "plain, its own": (plain_user(), plain_user(), True),
    "plain, another's": (plain_user(), BEA, False),
}


class Subject:
    """A process that waits before it ends as a test wants it to."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def end(self) -> None:
        """Has it end, and returns when it has; its parent has not waited for it."""
        self.go_on()
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def reap(self) -> None:
        """Waits for it as its parent does."""
        self._process.wait(PATIENCE_SECONDS)


Start = Callable[..., Subject]


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> tuple[User, User, bool]:
    """Who watches whom, and whether he may see all of it."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as other users")
    return VIEWS[request.param]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a shell script, or Python, that goes on when it is told to."""
    running: list[subprocess.Popen[bytes]] = []

    def start(script: str, user: User = MYSELF, *, python: bool = False, **environment: str) -> Subject:
        if python:
            script = f"import os, signal, sys, threading\nprint(flush=True)\nsys.stdin.readline()\n{script}"
            command = user.python_command([sys.executable, "-c", script])
        else:
            command = user.command(["sh", "-c", f"echo; read line\n{script}"])
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd="/", env={**os.environ, **environment})
        running.append(started)
        assert started.stdout is not None
        assert started.stdout.readline() == b"\n"
        return Subject(started)

    yield start
    for process in running:
        with process:
            process.kill()


@contextmanager
def watching(user: User, subject: Subject) -> Iterator[Watcher]:
    with watcher(user) as watches:
        assert watches.writer(subject.pid).pid == subject.pid
        yield watches


@pytest.mark.parametrize("script", ENDS)
def test_an_end_is_known_exactly_once_the_parent_has_waited(
    view: tuple[User, User, bool], start: Start, script: str
) -> None:
    user, writer, sees_all = view
    with watcher(user) as watches:
        subject = start(script, writer)
        process = watches.writer(subject.pid)
        assert watches.look(process).doing is Doing.RUNS
        assert watches.ending_of(process) == Ending(How.CLOSED)
        subject.end()
        seen = ENDS[script] if sees_all else UNKNOWN
        assert watches.ending_of(process) == seen
        assert watches.look(process)[1:3] == (Doing.ENDED, seen)
        assert watches.wait() == [(subject.pid, seen)]
        subject.reap()
        if not sees_all:
            assert watches.wait() == [(subject.pid, ENDS[script])]
        assert watches.ending_of(process) == ENDS[script]
        assert watches.look(process)[1:3] == (Doing.ENDED, ENDS[script])


def test_an_end_that_nobody_looked_at_in_time_is_known(view: tuple[User, User, bool], start: Start) -> None:
    """As of a command, for which its shell waits at once."""
    user, writer, _ = view
    with watcher(user) as watches:
        subject = start("kill -KILL $$", writer)
        process = watches.writer(subject.pid)
        subject.end()
        subject.reap()
        killed = Ending(How.KILLED, signal.SIGKILL)
        assert watches.ending_of(process) == killed
        assert watches.look(process)[1:3] == (Doing.ENDED, killed)
        assert watches.wait() == [(subject.pid, killed)]


@pytest.mark.parametrize("script", THREADS)
def test_any_thread_may_end_a_process(start: Start, script: str) -> None:
    """The kernel marks the main thread of one that another has ended as it marks a killed one."""
    subject = start(script, python=True)
    with watching(MYSELF, subject) as watches:
        subject.end()
        assert watches.wait() == [(subject.pid, THREADS[script])]


def test_a_process_runs_until_its_last_thread_ends(start: Start) -> None:
    rest = "def rest():\n sys.stdin.readline()\n print(flush=True)\n sys.stdin.readline()\n os._exit(5)"
    script = f"import ctypes\n{rest}\nthreading.Thread(target=rest).start()\nctypes.CDLL(None).pthread_exit(None)"
    subject = start(script, python=True)
    with watcher(MYSELF) as watches:
        process = watches.writer(subject.pid)
        subject.go_on()
        while _state(subject.pid) != "Z":
            os.sched_yield()
        assert watches.look(process).doing is Doing.RUNS
        subject.go_on()
        subject.end()
        assert watches.wait() == [(subject.pid, Ending(How.EXITED, 5))]


def test_one_that_is_stopped_is_known(view: tuple[User, User, bool], start: Start) -> None:
    user, writer, _ = view
    subject = start("exit 0", writer)
    with watcher(user) as watches:
        process = watches.writer(subject.pid)
        os.kill(subject.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, subject.pid, os.WSTOPPED)
        assert watches.look(process).doing is Doing.STOPPED
        assert watches.ending_of(process) == Ending(How.CLOSED)
        os.kill(subject.pid, signal.SIGCONT)
        os.waitid(os.P_PID, subject.pid, os.WCONTINUED)
        assert watches.look(process).doing is Doing.RUNS


def test_of_how_many_one_is_says_its_environment(view: tuple[User, User, bool], start: Start) -> None:
    user, writer, sees_all = view
    with watcher(user) as watches:
        one_of_eight = watches.writer(start("exit 0", writer, WORLD_SIZE="8").pid)
        assert watches.look(one_of_eight).world_size == (8 if sees_all else None)
        for nonsense in ("", "many", "0", "-1", "1000000000"):
            process = watches.writer(start("exit 0", writer, WORLD_SIZE=nonsense).pid)
            assert watches.look(process).world_size is None


def test_one_in_a_pid_namespace_below_is_seen(start: Start) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a PID namespace")
    script = "exec unshare --pid --fork sh -c 'echo; read line; kill -KILL $$; exit 5'"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        assert outer.stdout is not None
        outer.stdout.readline()
        with open(f"/proc/{outer.pid}/task/{outer.pid}/children", encoding="ascii") as children:
            inner = int(children.read())
        with watcher(MYSELF) as watches:
            process = watches.writer(inner)
            assert process != UNSEEN
            outer.communicate(b"\n")  # a signal of its own does nothing to the first of a namespace
            assert watches.wait() == [(inner, Ending(How.EXITED, 5))]


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]
