"""A storm over one mount: readers and writers that are killed again and again, while versions are made, removed and
verified beside them. Everything that is read is compared, and the daemon must be the same one at the end.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.drafts import drafts
from support.mount import Mount
from support.storm_actors import KEPT, MIB, Reader, Tally, Writer, content, new_name

QUIET = {
    "quiet_file_seconds": 0.3,
    "quiet_unproven_seconds": 0.3,
    "quiet_directory_seconds": 0.5,
    "quiet_living_seconds": 0.5,
    "quiet_unit_seconds": 0.2,
}
NUMBERS = 5
"""Of each tally."""
SETTLED_SECONDS = 120.0
"""Until then a daemon's memory may grow."""
WINDOW_SECONDS = 20.0
MOST_GROWTH = 1.1
_COMMIT_MAY_SAY = ("still open for writing", "goes on changing", "nothing of this name", "Device or resource busy")
KEPT_ARTIFACTS = 4
"""Artifacts of a large version each, which nobody removes."""


@dataclass
class Report:
    """What happened. wrong: everything that must not."""

    seed: int
    seconds: float = 0.0
    reads: int = 0
    read_bytes: int = 0
    commits: int = 0
    written_bytes: int = 0
    gone: int = 0
    kills: int = 0
    commands: dict[str, int] = field(default_factory=dict)
    rss_settled: int = 0
    rss_end: int = 0
    restarts: int = 0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.seconds:.0f} s, seed {self.seed}: {self.kills} readers and writers killed"
        yield f"read {self.reads:,} pieces, {self.read_bytes / 2**30:.2f} GiB; {self.gone} from versions being removed"
        yield f"written {self.written_bytes / 2**30:.2f} GiB, {self.commits:,} commits"
        yield "beside it: " + ", ".join(f"{name} {count} times" for name, count in sorted(self.commands.items()))
        settled = f"{self.rss_settled / MIB:.0f} MiB after {SETTLED_SECONDS:.0f} s, " if self.rss_settled else ""
        yield f"memory of the daemon: {settled}{self.rss_end / MIB:.0f} MiB at the end; {self.restarts} restarts"
        yield f"{len(self.wrong)} things went wrong" + ("" if not self.wrong else ":")
        yield from self.wrong


class Storm:
    """Runs it. expected: whether a line of the daemon's log is one that the removal of versions must cause."""

    def __init__(
        self, mount: Mount, seed: int, readers: int, writers: int, expected: Callable[[str], Sequence[str]]
    ) -> None:
        self._mount = mount
        self._chance = random.Random(seed)
        self._expected = expected
        self._shared = memoryview(mmap.mmap(-1, (readers + writers) * NUMBERS * 8)).cast("Q")
        self._roles = ["reader"] * readers + ["writer"] * writers
        self._actors: dict[int, int] = {}
        self._problems = Path(tempfile.mkdtemp(dir=mount.base)) / "problems"
        self._memory: list[tuple[float, int]] = []
        self.report = Report(seed)

    def run(self, seconds: float) -> Report:
        """Rages for so long, ends everybody, and looks at what is left."""
        pid = self._mount.pid
        self._make_kept_versions()
        started = time.monotonic()
        for slot in range(len(self._roles)):
            self._fork(slot)
        commands = Beside(self._mount, self._chance.randrange(2**32))
        try:
            while (now := time.monotonic() - started) < seconds:
                self._memory.append((now, _memory_of(pid)))
                commands.go_on()
                self._kill(self._chance.randrange(len(self._roles)), again=True)
                time.sleep(self._chance.uniform(0.1, 0.4))  # how often somebody is killed
        finally:
            for slot in list(self._actors):
                self._kill(slot, again=False)
            commands.end()
        self._sum_up(pid, seconds, commands)
        return self.report

    def _sum_up(self, pid: int, seconds: float, commands: Beside) -> None:
        report = self.report
        report.seconds = seconds
        for slot in range(len(self._roles)):
            tally = self._shared[slot * NUMBERS : (slot + 1) * NUMBERS].tolist()
            report.reads += tally[0]
            report.read_bytes += tally[1]
            report.commits += tally[2]
            report.written_bytes += tally[3]
            report.gone += tally[4]
        report.commands = commands.counts
        report.wrong += commands.wrong
        if self._problems.exists():
            report.wrong += self._problems.read_text().splitlines()
        if self._mount.pid != pid:
            report.restarts = 1
            report.wrong.append("the daemon is not the one that it was")
        self._mount.artfs("sync", self._mount.path, check=False)
        for name, told in drafts(self._mount).items():
            if told["state"] == "held":  # its writer was killed in the middle
                os.setxattr(self._mount.incoming / name, "user.artfs.commit", b"")
        self._mount.sync()
        report.wrong += self._expected(self._mount.log())
        self._look_at_memory(seconds)

    def _look_at_memory(self, seconds: float) -> None:
        report = self.report
        report.rss_end = _around(self._memory, seconds - WINDOW_SECONDS / 2)
        if seconds > SETTLED_SECONDS + WINDOW_SECONDS:
            report.rss_settled = _around(self._memory, SETTLED_SECONDS)
            if report.rss_end > MOST_GROWTH * report.rss_settled:
                report.wrong.append("the daemon's memory grows")

    def _make_kept_versions(self) -> None:
        for number in range(KEPT_ARTIFACTS):
            draft = self._mount.incoming / f"{KEPT}{number}"
            draft.mkdir()
            seed = new_name(self._chance).partition("-")[0]
            for size in (20 * MIB + 12345, 100_000):
                name = f"{seed}-{size}"
                (draft / name).write_bytes(content(name, 0, size))
            os.setxattr(draft, "user.artfs.commit", b"")

    def _fork(self, slot: int) -> None:
        seed = self._chance.randrange(2**32)
        child = os.fork()
        if child:
            self._actors[slot] = child
            return
        try:
            os.setsid()  # a program of its own: what others read is no input of what it writes
            chance = random.Random(seed)
            tally = Tally(self._shared[slot * NUMBERS : (slot + 1) * NUMBERS])
            path = self._mount.path
            is_reader = self._roles[slot] == "reader"
            actor = Reader(path, chance, tally) if is_reader else Writer(path, f"writer-{slot}", chance, tally)
            while True:
                actor.step()
        except BaseException:  # noqa: BLE001 - it is written down
            with self._problems.open("a") as problems:
                problems.write(f"{self._roles[slot]} {slot}: {traceback.format_exc()}")
        finally:
            os._exit(1)

    def _kill(self, slot: int, *, again: bool) -> None:
        """With all its children, wherever it is; another one takes its place."""
        actor = self._actors.pop(slot)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(actor, signal.SIGKILL)
        os.kill(actor, signal.SIGKILL)
        os.waitpid(actor, 0)
        self.report.kills += 1
        if again:
            self._fork(slot)


class Beside:
    """Commands that remove, prune, commit and verify, one after the other, beside the readers and writers."""

    def __init__(self, mount: Mount, seed: int) -> None:
        self._mount = mount
        self._chance = random.Random(seed)
        self._running: tuple[str, subprocess.Popen[str]] | None = None
        self.counts: dict[str, int] = {}
        self.wrong: list[str] = []

    def go_on(self) -> None:
        """Begins the next command when the last one has ended."""
        if self._running is None:
            name, arguments = self._next()
            if arguments:
                command = ["artfs", *map(str, arguments)]
                output = subprocess.PIPE
                self._running = (
                    name,
                    subprocess.Popen(
                        command, stdout=output, stderr=subprocess.STDOUT, text=True, env=self._mount.environment
                    ),
                )
        elif self._running[1].poll() is not None:
            self._finish()

    def end(self) -> None:
        """Waits for the last one."""
        if self._running is not None:
            self._finish()

    def _finish(self) -> None:
        assert self._running is not None
        name, process = self._running
        self._running = None
        output, _ = process.communicate(timeout=120)
        self.counts[name] = self.counts.get(name, 0) + 1
        if process.returncode != 0 and not _must_fail(name, output):
            self.wrong.append(f"artfs {process.args!r}: {output}")

    def _next(self) -> tuple[str, list[str | Path]]:
        name = self._chance.choice(("delete", "delete", "prune", "verify", "commit", "gc"))
        artifacts = sorted(path.name for path in self._mount.artifacts.glob("writer-*"))
        drafts = sorted(self._mount.incoming.glob("writer-*"))
        if name == "prune":
            return name, ["artifact", "prune", "--keep-last", "2", "--yes"]
        if name == "verify":
            return name, ["verify", f"{KEPT}{self._chance.randrange(KEPT_ARTIFACTS)}", *artifacts[:1]]
        if name == "gc":
            return name, ["gc"]
        if name == "commit":
            return name, ["commit", self._chance.choice(drafts)] if drafts else []
        kept = self._chance.choice((0, 1, 1))
        old = [f"{name}/{version}" for name in artifacts for version in self._numbers(name)[: -kept or None]]
        return name, ["artifact", "version", "delete", "--force", "--yes", *old] if old else []

    def _numbers(self, artifact: str) -> list[int]:
        return sorted(int(name) for name in os.listdir(self._mount.artifacts / artifact) if name.isdigit())


def _must_fail(name: str, output: str) -> bool:
    """Whether what others do beside a command explains its failure."""
    if name == "commit":
        return any(why in output for why in _COMMIT_MAY_SAY)
    return name in ("verify", "delete") and "no such version" in output.lower()


def _memory_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _around(samples: Sequence[tuple[float, int]], moment: float) -> int:
    """The median of what was measured around a moment."""
    near = [size for at, size in samples if abs(at - moment) <= WINDOW_SECONDS / 2]
    return int(statistics.median(near)) if near else 0
