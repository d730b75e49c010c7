"""`scripts/bench mount`: the same file operations on native files, artfs and other mounts, in one run.

A round mounts every peer once and takes every measurement on it. The peers take turns round by round, so that a noisy
minute of the machine falls on all of them, and the medians are taken over the rounds. A first pass is cold in this
sense: the peer was just mounted with empty caches of its own, and the kernel has seen none of these files through it.
The files beneath are in the page cache, unless `--drop-caches` empties it before each first pass.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from benchmarks import probes, report
from benchmarks.peers import INPUTS, PEERS, WRITTEN, Artfs, Native, Peer, PeerError, discard, run
from benchmarks.report import Measure, Results, Target

PROJECT = Path(__file__).resolve().parents[2]
BENCH = Path(os.environ.get("ARTFS_BENCH", PROJECT / ".bench"))
QUICK_NOTE = "Small sizes (--quick): they show that everything works, they do not compare."
MEBIBYTE = 1 << 20
PROBE_SECONDS = 600.0

MEASURES = (
    Measure("sequential_cold", "sequential read, cold", "MiB/s"),
    Measure("sequential_warm", "sequential read, warm", "MiB/s"),
    Measure("small_first", "small files, first pass", "files/s"),
    Measure("small_second", "small files, second pass", "files/s"),
    Measure("scan_first", "scandir + stat, first", "s", better="lower"),
    Measure("scan_second", "scandir + stat, second", "s", better="lower"),
    Measure("random", "random reads of 64 KiB, cold", "reads/s"),
    Measure("copy", "write: cp of one file", "MiB/s"),
    Measure("copy_fsync", "write: dd with fsync", "MiB/s"),
    Measure("small_writes", "write: small files", "files/s"),
    Measure("resident", "resident memory at the end", "MB", better="lower"),
    Measure("version", "artfs --version", "ms", better="lower"),
)


@dataclass(frozen=True)
class Sizes:
    """How much is read and written."""

    sequential_bytes: int = 1 << 30
    random_bytes: int = 512 << 20
    random_reads: int = 2_000
    read_files: int = 5_000
    written_files: int = 10_000

    def sentence(self) -> str:
        """What the figures are about, for the notes below the tables."""
        return (
            f"One file of {self.sequential_bytes // MEBIBYTE:,} MiB is read and written; "
            f"{self.random_reads:,} random reads in one of {self.random_bytes // MEBIBYTE:,} MiB; "
            f"{self.read_files:,} files of 4 KiB are read, {self.read_files:,} others listed, {self.written_files:,} "
            "written, each opened and closed by Python's open()."
        )

    def bytes_needed(self) -> int:
        """Free space for a run: the data to read at three peers, the file to copy, and room for what is written."""
        small = probes.SMALL_FILE_BYTES
        read = self.sequential_bytes + self.random_bytes + 2 * self.read_files * small
        return 3 * read + self.sequential_bytes + 3 * (self.sequential_bytes + self.written_files * small)


FULL = Sizes()
QUICK = Sizes(32 << 20, 32 << 20, 200, 500, 500)


def targets(sizes: Sizes, drop_caches: bool) -> tuple[Target, ...]:
    """What artfs must reach; the time of a scan grows with the number of files, so its bound does too."""
    why_not_cold = None
    if drop_caches:
        why_not_cold = "the disk counts too when the caches are dropped"
    elif os.geteuid() != 0:
        why_not_cold = "needs the read-ahead that only root can set"
    return (
        Target("artfs", "sequential_cold", 800, not_judged=why_not_cold),
        Target("artfs", "sequential_warm", 0.8, reference="native"),
        Target("artfs", "small_first", 1_500),
        Target("artfs", "small_second", 3_500),
        Target("artfs", "scan_first", 0.12 * sizes.read_files / FULL.read_files),
        Target("artfs", "copy", 0.4, reference="native"),
        Target("artfs", "small_writes", 600),
        Target("artfs", "resident", 150),
        Target("artfs", "version", 150),
    )


@click.command("mount")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Rounds to take the medians of.")
@click.option("--quick", is_flag=True, help="Small sizes: to see that everything works, not to compare.")
@click.option(
    "--only", multiple=True, type=click.Choice([peer.name for peer in PEERS]), help="These peers (repeatable)."
)
@click.option("--drop-caches", is_flag=True, help="Empty the page cache of the machine before each first pass (root).")
@click.option("--json", "print_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def command(runs: int, quick: bool, only: Sequence[str], drop_caches: bool, print_json: bool, markdown: bool) -> None:
    """Time file operations on native files, artfs, fsspec.fuse, JuiceFS and rclone, in one run."""
    if drop_caches and os.geteuid() != 0:
        raise click.UsageError("--drop-caches needs root")
    sizes = QUICK if quick else FULL
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _interrupt)
    results = Results(MEASURES, {}, reference=Native.name)
    interrupted = False
    with scratch_directory(sizes) as scratch:
        try:
            measure(results, scratch, sizes, runs, only, drop_caches)
        except KeyboardInterrupt:
            interrupted = True
            results.problem("interrupted: the medians are of the rounds until then")
    machine = report.machine_line(BENCH)
    cold = "all page caches dropped before each first pass" if drop_caches else "the files beneath it in the page cache"
    cold = f"Cold and first: just mounted, the mount's own caches empty, {cold}."
    if print_json:
        facts = {"machine": machine, "runs": runs, "sizes": vars(sizes), "cold": cold}
        click.echo(json.dumps(report.as_json(results, targets(sizes, drop_caches), facts), indent=2))
    else:
        notes = [machine, f"{'One run' if runs == 1 else f'Medians of {runs} runs'}. {sizes.sentence()}", cold]
        if quick:
            notes.append(QUICK_NOTE)
        report.print_report(results, targets(sizes, drop_caches), Artfs.name, notes, markdown)
    sys.exit(130 if interrupted else 0)


def measure(results: Results, scratch: Path, sizes: Sizes, runs: int, only: Sequence[str], drop_caches: bool) -> None:
    """Install and fill the peers, then measure them round by round; what fails becomes a line of the results."""
    console = Console(stderr=True)
    with console.status("making the data") as status:
        data = make_data(scratch, sizes)
        peers = []
        for peer in (kind(BENCH / "peers", scratch, data) for kind in PEERS):
            if only and peer.name not in (*only, Native.name):
                continue
            status.update(f"{peer.name}: preparing")
            try:
                results.subjects[peer.name] = f"{peer.title} {peer.install()}".strip()
                peer.fill()
                peers.append(peer)
            except PeerError as error:
                results.problem(f"{peer.title} is missing from this run: {error}")
        for number in range(1, runs + 1):
            for peer in peers:
                status.update(f"run {number} of {runs}: {peer.name}")
                try:
                    with peer.mounted():
                        Round(peer, results, sizes, scratch / "source", drop_caches).measure()
                except PeerError as error:
                    results.problem(f"{peer.title}: {error}")


@dataclass(frozen=True)
class Round:
    """All measurements on one peer that is mounted."""

    peer: Peer
    results: Results
    sizes: Sizes
    source: Path
    drop_caches: bool

    def measure(self) -> None:
        """Read, then write, then look at the memory."""
        read, files = self.peer.read_root, self.sizes.read_files
        self._first("sequential_cold", "sequential_read", read / "large")
        self._probe("sequential_warm", "sequential_read", read / "large")
        self._first("small_first", "small_reads", read / "small", files)
        self._probe("small_second", "small_reads", read / "small", files)
        self._first("scan_first", "scan", read / "listed", files)
        self._probe("scan_second", "scan", read / "listed", files)
        self._first("random", "random_reads", read / "random", self.sizes.random_reads)
        self._write("copy", partial(self._probe, "copy", "copy", self.source), "copied")
        self._write("copy_fsync", partial(self._probe, "copy_fsync", "copy_with_fsync", self.source), "synced")
        self._write("small_writes", self._small_writes, "small-files")
        resident = self.peer.resident_megabytes()
        if resident is not None:
            self.results.add(self.peer.name, "resident", resident)
        if isinstance(self.peer, Artfs):
            self.results.add(self.peer.name, "version", version_milliseconds(self.peer.command))

    def _first(self, key: str, probe: str, *arguments: object) -> None:
        if self.drop_caches:
            run("sync")
            Path("/proc/sys/vm/drop_caches").write_text("3")
        self._probe(key, probe, *arguments)

    def _small_writes(self, target: Path) -> None:
        self._probe("small_writes", "small_writes", target, self.sizes.written_files)

    def _write(self, key: str, write: Callable[[Path], None], name: str) -> None:
        target = self.peer.write_root / name
        write(target)
        try:
            self.peer.settle()
        except PeerError as error:
            self.results.problem(f"{self.peer.title}, after {key}: {error}")
        self._child(key, ["rm", "-rf", str(target)])
        run("sync")

    def _probe(self, key: str, probe: str, *arguments: object) -> None:
        argv = [sys.executable, "-I", probes.__file__, probe, *map(str, arguments)]
        output = self._child(key, argv)
        if output is not None:
            self.results.add(self.peer.name, key, float(output))

    def _child(self, key: str, argv: list[str]) -> str | None:
        """Run a process on the mount. One that fails is a problem of its measure; one that hangs ends the round."""
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            output, error = process.communicate(timeout=PROBE_SECONDS)
        except BaseException as stopped:
            # A process that waits in a mount may ignore even a kill until the mount is gone.
            process.kill()
            discard(self.peer.mount_point)
            process.communicate()
            if isinstance(stopped, subprocess.TimeoutExpired):
                raise PeerError(f"{key} has not ended within {PROBE_SECONDS:.0f} s; the mount was given up") from None
            raise
        if process.returncode:
            said = (error.strip() or f"ended with {process.returncode}").splitlines()[-1]
            self.results.problem(f"{self.peer.title}, {key}: {said}")
            return None
        return output


def version_milliseconds(artfs: Path) -> float:
    """How long `artfs --version` takes, in milliseconds."""
    start = time.perf_counter()
    subprocess.run([artfs, "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1e3


def make_data(scratch: Path, sizes: Sizes) -> Path:
    """Write the data to read into `scratch`/data and the file to copy, `scratch`/source; return the first."""
    data, inputs = scratch / "data", scratch / INPUTS
    (data / WRITTEN).mkdir(parents=True)
    inputs.mkdir()
    _write_random(scratch / "source", sizes.sequential_bytes)
    _write_random(inputs / "large", sizes.sequential_bytes)
    _write_random(inputs / "random", sizes.random_bytes)
    for directory in (inputs / "small", inputs / "listed"):
        probes.small_writes(str(directory), str(sizes.read_files))
    # `cp` brings the data to every peer, so to native files too: how large the writes were decides how large the
    # folios in the page cache are, and with that whether native files are read at 4 or at 25 GiB/s.
    run("cp", "-r", str(inputs), str(data))
    shutil.rmtree(inputs)
    run("sync")
    return data


def _write_random(path: Path, size: int) -> None:
    with open(path, "wb") as file:
        for _ in range(size // MEBIBYTE):
            file.write(os.urandom(MEBIBYTE))


@contextmanager
def scratch_directory(sizes: Sizes) -> Iterator[Path]:
    """Make the directory of one run below `.bench`; clean up after this run, and after one that was killed."""
    BENCH.mkdir(exist_ok=True)
    with open(BENCH / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException("another benchmark is running: two at once would measure each other") from None
        for leftover in BENCH.glob("run-*"):
            remove_run(leftover)
        free = shutil.disk_usage(BENCH).free
        if free < sizes.bytes_needed():
            need, have = sizes.bytes_needed() / 1e9, free / 1e9
            raise click.ClickException(
                f"{BENCH} needs {need:.1f} GB free and has {have:.1f} GB: make room or use --quick"
            )
        scratch = Path(tempfile.mkdtemp(prefix="run-", dir=BENCH))
        try:
            yield scratch
        finally:
            remove_run(scratch)


def remove_run(scratch: Path) -> None:
    """End what still serves a mount of a run, then remove its directory."""
    for kind in PEERS:
        discard(scratch / kind.name / "mount")
    shutil.rmtree(scratch)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
