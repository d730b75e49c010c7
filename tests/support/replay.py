"""A program that writes files step by step, as a framework was seen to do it.

    replay.py JOB        where JOB is `Job` as JSON

It is started without any library, so that a hundred of it fit beside each other, and says on its output which steps are
behind it: `step 3`, and `done NAME` where a save is finished as far as its framework can tell.

Paths are below the job's root. In them stand: `@` the draft or file that is saved; `^` the folder it is in, with a
slash, or nothing; `?` six characters that no other job has; `~` a folder outside, as for a framework's own temporary
files.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Step = Sequence[Any]
"""What to do, and to what: the name of a method of `Writer` without its `do_`, and its arguments."""

FLAGS = {
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "x": os.O_RDWR | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "r+": os.O_RDWR,
}
LOOK_AGAIN_SECONDS = 0.2


class Failure(Exception):
    """What goes wrong in the middle of a save."""


@dataclass(frozen=True)
class Job:
    """What one writer does. contents: a folder of files whose bytes are written. places: what stands for `@^?~`."""

    root: str
    contents: str
    places: Mapping[str, str]
    steps: Sequence[Step]


def start(job: Job) -> subprocess.Popen[str]:
    """Starts a writer in a process of its own."""
    command = [sys.executable, "-I", "-S", __file__, json.dumps(asdict(job))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def finished(said: str) -> tuple[str, ...]:
    """The saves that a writer finished, as it said."""
    return tuple(line.removeprefix("done ") for line in said.splitlines() if line.startswith("done "))


class Writer:
    """Takes the steps of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._handles: dict[str, int] = {}
        self._maps: dict[str, mmap.mmap] = {}
        self._databases: dict[str, sqlite3.Connection] = {}
        self._children: dict[str, int] = {}

    def run(self, steps: Sequence[Step], who: str = "") -> None:
        """Takes steps. What fails closes all files first, as `with` does."""
        try:
            for number, (what, *arguments) in enumerate(steps):
                getattr(self, f"do_{what}")(*arguments)
                _say(f"step {who}{number}")
        finally:
            self._close_all()

    def do_mkdir(self, path: str) -> None:
        os.makedirs(self._at(path), exist_ok=True)

    def do_open(self, handle: str, path: str, flags: str, mode: int = 0o666) -> None:
        self._handles[handle] = os.open(self._at(path), FLAGS[flags], mode)

    def do_write(self, handle: str, content: str, piece: int, pieces: int) -> None:
        """Writes one of so many equal pieces of a content, at the handle's place."""
        _, data = self._piece(content, piece, pieces)
        os.write(self._handles[handle], data)

    def do_pwrite(self, handle: str, content: str, piece: int, pieces: int) -> None:
        """Writes one at the place where it belongs."""
        start, data = self._piece(content, piece, pieces)
        os.pwrite(self._handles[handle], data, start)

    def do_zeros(self, handle: str, content: str, piece: int, pieces: int) -> None:
        """Writes as many zeros, where the piece comes later."""
        start, data = self._piece(content, piece, pieces)
        os.pwrite(self._handles[handle], bytes(len(data)), start)

    def do_ftruncate(self, handle: str, content: str) -> None:
        """Gives a file the size of a content."""
        os.ftruncate(self._handles[handle], len(self._content(content)))

    def do_fsync(self, handle: str) -> None:
        os.fsync(self._handles[handle])

    def do_flock(self, handle: str) -> None:
        fcntl.flock(self._handles[handle], fcntl.LOCK_EX | fcntl.LOCK_NB)

    def do_close(self, handle: str) -> None:
        os.close(self._handles.pop(handle))

    def do_map(self, handle: str, mapping: str) -> None:
        self._maps[mapping] = mmap.mmap(self._handles[handle], 0)

    def do_store(self, mapping: str, content: str, piece: int, pieces: int) -> None:
        """Writes a piece through a mapping."""
        start, data = self._piece(content, piece, pieces)
        self._maps[mapping][start : start + len(data)] = data

    def do_unmap(self, mapping: str) -> None:
        self._maps.pop(mapping).close()

    def do_rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._at(new))

    def do_link(self, old: str, new: str) -> None:
        os.link(self._at(old), self._at(new))

    def do_symlink(self, target: str, path: str) -> None:
        os.symlink(target, self._at(path))

    def do_unlink(self, path: str, *, missing: bool = False) -> None:
        with contextlib.suppress(*([FileNotFoundError] if missing else [])):
            os.unlink(self._at(path))

    def do_rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def do_chmod(self, path: str, mode: int) -> None:
        os.chmod(self._at(path), mode)

    def do_utime(self, path: str, seconds: float) -> None:
        os.utime(self._at(path), (seconds, seconds))

    def do_fork(self, name: str, steps: Sequence[Step]) -> None:
        """Begins another process, which takes steps of its own: another rank."""
        child = os.fork()
        if child:
            self._children[name] = child
            return
        code = 1
        try:
            self.run(steps, f"{name}.")
            code = 0
        finally:
            os._exit(code)

    def do_join(self, name: str) -> None:
        _, status = os.waitpid(self._children.pop(name), 0)
        if status:
            raise Failure(f"{name} failed")

    def do_connect(self, database: str, path: str, journal: str) -> None:
        self._databases[database] = sqlite3.connect(self._at(path), isolation_level=None)
        self.do_sql(database, f"PRAGMA journal_mode = {journal}")

    def do_sql(self, database: str, statement: str) -> None:
        self._databases[database].execute(statement).fetchall()

    def do_disconnect(self, database: str) -> None:
        self._databases.pop(database).close()

    def do_sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def do_wait(self, path: str, seconds: float) -> None:
        """Waits until something is there, but goes on after so long."""
        give_up = time.monotonic() + seconds
        while not os.path.lexists(self._at(path)) and time.monotonic() < give_up:
            time.sleep(LOOK_AGAIN_SECONDS)

    def do_done(self, save: str) -> None:
        _say(f"done {save}")

    def do_fail(self) -> None:
        raise Failure("told to fail")

    def do_catch(self, seconds: float) -> None:
        """What a notebook does with an exception: files are closed, and the process goes on; its end is a good one."""
        self._close_all()
        time.sleep(seconds)
        raise SystemExit(0)

    def do_kill(self, number: int) -> None:
        for child in self._children.values():
            os.kill(child, number)
        os.kill(os.getpid(), number)
        signal.pause()

    def _close_all(self) -> None:
        for mapping in list(self._maps):
            self.do_unmap(mapping)
        for handle in list(self._handles):
            self.do_close(handle)
        for database in list(self._databases):
            self.do_disconnect(database)

    def _at(self, path: str) -> str:
        for sign, text in self._job.places.items():
            path = path.replace(sign, text)
        return os.path.join(self._job.root, path)

    def _content(self, content: str) -> bytes:
        return Path(self._job.contents, content).read_bytes()

    def _piece(self, content: str, piece: int, pieces: int) -> tuple[int, bytes]:
        data = self._content(content)
        start, end = (len(data) * number // pieces for number in (piece, piece + 1))
        return start, data[start:end]


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    job = Job(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who is started by a shell in the background ignores it
    try:
        Writer(job).run(job.steps)
    except (Failure, KeyboardInterrupt):
        sys.exit(1)
