"""A process of any user that watches others as the daemon does, and is asked about them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artfs_mount.incoming.complete.process import Ending, How, Process
from artfs_mount.incoming.complete.writers import Doing, Writer
from artfs_mount.incoming.writers import Processes
from support.mount import PATIENCE_SECONDS, User


class Watcher:
    """What a test has of it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def writer(self, pid: int) -> Process:
        """Tells it that a process writes, and returns what it takes it for."""
        return Process(*self._ask("writer", pid))

    def wait(self) -> list[tuple[int, Ending]]:
        """Waits until it notices ends, and returns them by process number."""
        return [(pid, Ending(How(how), code)) for pid, how, code in self._ask("wait")]

    def look(self, process: Process) -> Writer:
        """How a process is doing."""
        doing, how, code, world_size = self._ask("look", *process)
        return Writer(process, Doing(doing), Ending(How(how), code), world_size)

    def ending_of(self, process: Process) -> Ending:
        """How it lets go of a file."""
        how, code = self._ask("ending_of", *process)
        return Ending(How(how), code)

    def _ask(self, *question: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def watcher(user: User) -> Iterator[Watcher]:
    """A watcher that runs as a user."""
    command = user.python_command([sys.executable, __file__])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd="/", env=environment) as process:
        yield Watcher(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


def _answer(processes: Processes, question: str, *arguments: int) -> object:
    if question == "writer":
        return processes.writer(arguments[0])
    if question == "wait":
        ready, _, _ = select.select([processes], [], [], PATIENCE_SECONDS)
        assert ready, "nobody has ended"
        return [(process.pid, *ending) for process, ending in processes.ended()]
    process = Process(*arguments)
    if question == "ending_of":
        return processes.ending_of(process)
    (writer,) = processes.look([process], {})
    return writer.doing, *writer.ending, writer.world_size


def _main() -> None:
    processes = Processes()
    for line in sys.stdin:
        print(json.dumps(_answer(processes, *json.loads(line))), flush=True)


if __name__ == "__main__":
    _main()
