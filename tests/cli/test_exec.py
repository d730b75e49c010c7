"""`artfs exec` is a wrapper that a program, and whoever starts it, hardly notice."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from artfs.workspace.workspace import Workspace
from support.mount import ARTFS
from support.programs import all_ended

TELLS_SIGNALS = """
import os, signal, sys, time
def heard(number, frame):
    print("heard", signal.Signals(number).name, flush=True)
    sys.exit(7)
signal.signal(signal.{signal}, heard)
print("ready", os.getpid(), flush=True)
time.sleep(60)
"""


@contextmanager
def started(*command: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`artfs exec` with a command, in the background of no terminal; after the block it has ended."""
    process = subprocess.Popen(
        [ARTFS, "exec", "--name", "job", "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )
    with all_ended(process):
        yield process


def only_run(home: Path) -> tuple[str, str | None]:
    """Status and error of the only run."""
    with Workspace.open(home) as workspace:
        (run,) = workspace.catalog.runs.list()
        return run.status, run.error


def line(process: subprocess.Popen[str]) -> Sequence[str]:
    """The words of the next line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline().split()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT"])
def test_a_signal_reaches_the_program_and_its_end_is_the_ones_end(home: Path, name: str) -> None:
    with started(sys.executable, "-c", TELLS_SIGNALS.replace("{signal}", name)) as process:
        assert line(process)[0] == "ready"
        process.send_signal(getattr(signal, name))
        assert line(process) == ["heard", name]
        assert process.wait(60) == 7
    assert only_run(home) == ("failed", "exit status 7")


def test_a_signal_reaches_what_the_program_has_started(home: Path) -> None:
    nested = ["sh", "-c", f"{sys.executable} -c '{TELLS_SIGNALS.replace('{signal}', 'SIGTERM')}'; exit 0"]
    with started(*nested) as process:
        assert line(process)[0] == "ready"
        process.terminate()
        assert line(process) == ["heard", "SIGTERM"]
        assert process.wait(60) == 128 + signal.SIGTERM, "the shell was ended by it"


@pytest.mark.parametrize(
    ("script", "status", "run"),
    [
        ("exit 0", 0, "completed"),
        ("exit 3", 3, "failed"),
        ("kill -KILL $$", 137, "failed"),
        ("kill -SEGV $$", 139, "failed"),
        ("kill -INT $$", 130, "cancelled"),
    ],
)
def test_it_ends_as_the_program_does(home: Path, script: str, status: int, run: str) -> None:
    with started("sh", "-c", f"trap - INT; {script}") as process:
        assert process.wait(60) == status
    assert only_run(home)[0] == run


def test_what_cannot_be_run_has_the_status_that_a_shell_gives_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    lost = tmp_path / "lost"
    lost.write_text("#!/no/such/interpreter\n")
    lost.chmod(0o755)
    expected = {"no-such-program": 127, tmp_path / "plain": 126, tmp_path: 126, lost: 126}
    for program, status in expected.items():
        done = subprocess.run([ARTFS, "exec", "--", program], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
        assert str(program) in done.stderr
    with Workspace.open(home) as workspace:
        assert {run.status for run in workspace.catalog.runs.list()} == {"failed"}


def test_when_it_is_killed_the_program_is_told_and_the_run_has_failed(home: Path, tmp_path: Path) -> None:
    program = """
import os, signal, time
def heard(number, frame):
    os.mkdir("heard")
    os._exit(0)
signal.signal(signal.SIGTERM, heard)
print("ready", os.getpid(), flush=True)
time.sleep(60)
"""
    with started(sys.executable, "-c", program, cwd=tmp_path) as process:
        ready, pid = line(process)
        assert ready == "ready"
        ended = os.pidfd_open(int(pid))
        process.kill()
        process.wait(60)
        select.select([ended], [], [], 60)
        os.close(ended)
    assert (tmp_path / "heard").exists()
    assert only_run(home)[0] == "running", "nobody has looked yet"
    listed = subprocess.run([ARTFS, "run", "list"], capture_output=True, text=True, timeout=60, check=True)
    assert listed.stdout.split()[2] == "failed"
    assert only_run(home) == ("failed", "its process was killed")


def test_a_run_is_alive_as_long_as_its_lock_is_held_whoever_looks(home: Path) -> None:
    with started(sys.executable, "-c", TELLS_SIGNALS.replace("{signal}", "SIGTERM")) as process:
        assert line(process)[0] == "ready"
        with Workspace.open(home) as workspace:
            # As in a container without a view of the program: its number means nobody here.
            workspace.catalog.engine.execute("UPDATE run SET pid = 999999999, process_started = '1'")
        listed = subprocess.run([ARTFS, "run", "list"], capture_output=True, text=True, timeout=60, check=True)
        assert listed.stdout.split()[2] == "running"


def test_a_reader_that_has_had_enough_ends_the_program_as_without_it(home: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{ARTFS} exec -- yes | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["y", "141"]
    assert "Traceback" not in done.stderr


def test_what_is_ignored_stays_ignored(home: Path) -> None:
    program = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    command = f"trap '' HUP; exec {ARTFS} exec -- {sys.executable} -c '{program}'"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n"


def test_on_a_terminal_ctrl_c_reaches_the_program_once(home: Path) -> None:
    program = """
import os, signal, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("ready", flush=True)
while not heard:
    time.sleep(0.01)
time.sleep(0.2)  # as long as a second one would take at most
print("heard", len(heard), os.isatty(0), flush=True)
"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(ARTFS, [str(ARTFS), "exec", "--", sys.executable, "-c", program])
    seen = b""
    while b"heard" not in seen:
        if seen.endswith(b"ready\r\n"):
            os.write(terminal, b"\x03")
        seen += os.read(terminal, 1000)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert (b"heard 1 True" in seen, os.waitstatus_to_exitcode(status)) == (True, 0)
