"""Real libraries that write to a mount: started, told to go on, ended in the middle of a save."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import real_writer
from support.drafts import versions
from support.mount import Mount


class RealWriter:
    """A program that saves; each save waits for `go_on`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.finished: list[int] = []

    def until_saved(self) -> bool:
        """Waits until a save is finished; False if there will be none any more."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.strip().isdigit():  # whatever else its libraries say
            self.finished.append(int(line))
        return bool(line)

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self, number: int | None = None) -> int:
        """Sends it a signal, and waits for its end; takes in what it has said before."""
        if number is not None:
            self.process.send_signal(number)
        said, _ = self.process.communicate()
        self.finished += [int(line) for line in said.splitlines() if line.strip().isdigit()]
        return self.process.returncode


@contextmanager
def writing(library: str, path: Path, saves: int) -> Iterator[RealWriter]:
    """A program that saves so often with a library."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(real_writer.__file__), library, str(path), str(saves)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            yield RealWriter(process)
        finally:
            process.kill()


def folders(mount: Mount, name: str) -> Iterator[Path]:
    """The versions of an artifact."""
    yield from (mount.artifacts / name / version for version in versions(mount, name))
