"""What a daemon learns of the processes that write: whose they are and how they end, as root and as a plain user."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support import telling_daemon
from support.drafts import NEVER_BY_ITSELF
from support.mount import MYSELF, PATIENCE_SECONDS, Mount, User, plain_user
from support.mount_fixtures import StartMount
from support.pidfds import watched_by

EXITED, KILLED = "exited", "killed"


@pytest.fixture(params=["myself", "plain user"])
def user(request: pytest.FixtureRequest) -> User:
    """Who mounts and writes."""
    if request.param == "myself":
        return MYSELF
    if os.geteuid() != 0:
        pytest.skip("only root can also test as another user")
    return plain_user()


@pytest.fixture
def mount(start_mount: StartMount, user: User) -> Mount:
    return start_mount(user, settings=NEVER_BY_ITSELF, daemon=[telling_daemon.__file__ or ""])


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(mount: Mount) -> Iterator[Start]:
    """Starts a shell script in `/incoming` as the mount's user. It has said `ready` when this returns."""
    running: list[subprocess.Popen[str]] = []

    def start(script: str, **environment: str) -> subprocess.Popen[str]:
        command = mount.user.command(["sh", "-c", f"cd {mount.incoming} && {script}"])
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd="/", env={**mount.environment, **environment}
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        with process:
            process.kill()


def told(mount: Mount, draft: str) -> dict[str, Any]:
    """What the daemon knows of a draft's writers."""
    return mount.status()[telling_daemon.SECTION][draft]


def wait_for_the_end(mount: Mount, draft: str, pid: int) -> list[Any]:
    """Waits until the draft knows how one of its writers has ended, and returns that."""
    mount.wait_until(lambda: str(pid) in told(mount, draft)["endings"], "the writer's end")
    return told(mount, draft)["endings"][str(pid)]


@pytest.mark.parametrize(
    ("end", "ending"),
    [
        ("exit 0", [EXITED, 0]),
        ("exit 1", [EXITED, 1]),
        ("kill -KILL $$", [KILLED, signal.SIGKILL]),
        ("kill -TERM $$", [KILLED, signal.SIGTERM]),
    ],
)
def test_an_end_between_two_files_is_known(mount: Mount, start: Start, end: str, ending: list[Any]) -> None:
    """No file is open: nothing of what FUSE tells says that the writer has ended."""
    process = start(f"mkdir model && echo > model/first && echo ready && read line; {end}")
    mount.wait_until(lambda: told(mount, "model")["open"] == 0, "the file being closed")
    assert told(mount, "model")["doing"][str(process.pid)] == "runs"
    assert str(process.pid) not in told(mount, "model")["endings"]
    process.communicate("\n", PATIENCE_SECONDS)
    assert wait_for_the_end(mount, "model", process.pid) == ending
    assert told(mount, "model")["doing"][str(process.pid)] == "ended"
    assert told(mount, "model")["killed"] == {}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_in_the_middle_of_a_file_is_known_of_file_and_writer(
    mount: Mount, start: Start, number: signal.Signals
) -> None:
    process = start("exec 3> model && echo half >&3 && echo ready && read line")
    process.send_signal(number)
    assert wait_for_the_end(mount, "model", process.pid) == [KILLED, number]
    mount.wait_until(lambda: told(mount, "model")["open"] == 0, "the file being closed")
    assert told(mount, "model")["killed"] == {"": [KILLED, number]}


def test_a_thread_that_ends_its_process_kills_nobody(mount: Mount) -> None:
    """The kernel marks the main thread as it marks a killed one, also while it closes the file."""
    script = (
        "import os, signal, sys, threading; file = open(sys.argv[1], 'wb', 0); file.write(b'whole');"
        "threading.Thread(target=os._exit, args=[0]).start(); signal.pause()"
    )
    command = mount.user.python_command(["python3", "-c", script, mount.incoming / "model"])
    process = subprocess.Popen(command, cwd="/", env=mount.environment)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert wait_for_the_end(mount, "model", process.pid) == [EXITED, 0]
    mount.wait_until(lambda: told(mount, "model")["open"] == 0, "the file being closed")
    assert told(mount, "model")["killed"] == {}


def test_one_that_is_stopped_goes_on(mount: Mount, start: Start) -> None:
    process = start("echo > model && echo ready && read line")
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert told(mount, "model")["doing"] == {str(process.pid): "stopped"}
    process.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, process.pid, os.WCONTINUED)
    assert told(mount, "model")["doing"] == {str(process.pid): "runs"}
    process.communicate("\n", PATIENCE_SECONDS)
    assert wait_for_the_end(mount, "model", process.pid) == [EXITED, 0]


def test_a_child_that_writes_after_its_parents_end_keeps_the_file_open(mount: Mount, start: Start) -> None:
    """FUSE tells who opens a file and not who writes through it: the writer has ended, the handle is what waits."""
    script = "exec 3> model; (echo ready; read line; echo more >&3; echo written; read line) & exec 0<&- 1>&-"
    process = start(f"exec 4<&0; ({script.replace('& exec', '<&4 & exec')}); kill -KILL $$")
    assert process.stdin is not None and process.stdout is not None
    (opener,) = told(mount, "model")["doing"]
    assert wait_for_the_end(mount, "model", int(opener)) == [EXITED, 0]
    assert told(mount, "model")["open"] == 1
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "written\n"
    assert told(mount, "model")["open"] == 1
    process.stdin.write("\n")
    process.stdin.flush()
    mount.wait_until(lambda: told(mount, "model")["open"] == 0, "the file being closed")
    assert mount.run(["cat", mount.incoming / "model"]).stdout == "more\n"
    assert told(mount, "model")["killed"] == {}


def test_a_killed_opener_is_not_forgotten_when_its_child_closes_the_file(mount: Mount, start: Start) -> None:
    """As when a training is killed whose data loader has the checkpoint open too."""
    process = start("exec 3> model; echo half >&3; mkfifo $PIPE; (cat < $PIPE > /dev/null) & echo ready; read line",
                    PIPE=str(mount.base / "pipe"))  # fmt: skip
    process.kill()
    assert wait_for_the_end(mount, "model", process.pid) == [KILLED, signal.SIGKILL]
    assert told(mount, "model")["open"] == 1
    mount.run(["sh", "-c", f"echo > {mount.base}/pipe"])
    mount.wait_until(lambda: told(mount, "model")["open"] == 0, "the file being closed")
    assert told(mount, "model")["killed"] == {"": [KILLED, signal.SIGKILL]}


def test_how_many_write_together_says_the_environment(mount: Mount, start: Start) -> None:
    start("echo > model && echo ready && read line", WORLD_SIZE="8")
    assert told(mount, "model")["world_sizes"] == [8]


def test_thousands_of_short_processes_leave_no_descriptor_behind(mount: Mount) -> None:
    mount.run(["mkdir", mount.incoming / "many"])
    script = 'i=0; while [ $i -lt 2000 ]; do (echo $i > "$1/$i"); i=$((i + 1)); done'
    mount.run(["sh", "-c", script, "sh", mount.incoming / "many"])
    mount.wait_until(lambda: not watched_by(mount.pid), "the descriptors being given back")
    kept = told(mount, "many")["doing"].values()
    assert set(kept) == {"ended"}
    assert 0 < len(kept) <= 1024
