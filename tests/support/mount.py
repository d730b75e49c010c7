"""A mount made the way a person makes it: `artfs mount` in a process of its own, as any user."""

from __future__ import annotations

import json
import os
import pwd
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

ARTFS = Path(sys.executable).with_name("artfs")
PATIENCE_SECONDS = 60
"""How long anything may take before it counts as hung. Nothing waits this long unless something is broken."""

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class User:
    """Somebody who runs commands. uid None: whoever runs the tests."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """What the tests' process must run so that this user runs a command."""
        words = [str(word) for word in command]
        return words if self.uid is None else [*self._setpriv(), *words]

    @cached_property
    def can_run_python(self) -> bool:
        """Whether the project's Python and its code lie where this user can read them."""
        return subprocess.run(self.command([sys.executable, "-c", "import artfs"]), capture_output=True).returncode == 0

    def python_command(self, command: Sequence[str | Path]) -> list[str]:
        """The same for a command of the project's own Python.

        That Python may lie below a home that this user cannot enter (root's, say); then the user may read what
        others may not, which is no help in mounting anything.
        """
        if self.uid is None or self.can_run_python:
            return self.command(command)
        reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [*self._setpriv(*reading), *(str(word) for word in command)]

    def _setpriv(self, *options: str) -> list[str]:
        # setpriv reaches its command with the rights of root, and gives them up only then; so env runs the real one.
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", *options, "--", "env"]


MYSELF = User("myself")


def plain_user() -> User:
    """A user with no rights; who runs the tests must be root to act as one."""
    nobody = pwd.getpwnam("nobody")
    return User("nobody", nobody.pw_uid, nobody.pw_gid)


class Mount:
    """A mount with a home of its own, whose daemon is a subprocess.

    A plain user's mount is closed to everybody else, even root: a test that runs as either touches it through `run`.

    Args:
        base: a directory of the user's own, for the home, the mount point and whatever the test needs beside them.
        user: who mounts.
        options: more options of `artfs mount`.
        environment: more variables for the daemon.
        name: of the mount point in `base`; a second mount of the same home needs another.
        settings: of the home's config.toml.
        home: where, if not in `base`.
        daemon: the command to run instead of `artfs mount --foreground`, such as a driver of tests/support; it is given
            the daemon's own options.
    """

    def __init__(
        self,
        base: Path,
        user: User = MYSELF,
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        name: str = "mnt",
        settings: Mapping[str, float] | None = None,
        home: Path | None = None,
        daemon: Sequence[str | Path] | None = None,
    ) -> None:
        self.base = base
        self.user = user
        self.home = home or base / "home"
        self.path = base / name
        self.incoming = self.path / "incoming"
        self.artifacts = self.path / "artifacts"
        self._options = list(options)
        self._environment = environment or {}
        self._settings = settings or {}
        self._daemon_command = daemon
        self._output = base / f"{name}.out"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the daemon and all commands of this mount run with."""
        path = f"{ARTFS.parent}{os.pathsep}{os.environ['PATH']}"
        own = {"ARTFS_HOME": str(self.home), "HOME": str(self.base), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **own, **self._environment}

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return int(self.status()["pid"])

    @property
    def is_alive(self) -> bool:
        """Whether the daemon's process runs."""
        return self._process is not None and self._process.poll() is None

    def mount(self) -> Mount:
        """Starts the daemon and waits until the mount answers.

        Raises RuntimeError with the daemon's words if it ends instead.
        """
        if not is_mounted(self.path):  # a dead mount answers nobody
            self.run(["mkdir", "-p", self.path])
        if self._settings:
            self.run(["mkdir", "-p", self.home])
            lines = "".join(f"{name} = {value}\n" for name, value in self._settings.items())
            self.run(["tee", self.home / "config.toml"], input=lines)
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self.user.python_command(self._command()),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._wait_for_the_mount(self._process)
        return self

    def remount(self) -> Mount:
        """Starts a new daemon on the same home and mount point, after `unmount` or `kill`."""
        return self.mount()

    def unmount(self) -> None:
        """Unmounts and waits for the daemon's end, which must be a good one."""
        self.artfs("umount", self.path)
        code = self._daemon().wait(PATIENCE_SECONDS)
        if code != 0:
            raise RuntimeError(f"the daemon ended with exit code {code}:\n{self.log()}")

    def stop(self, number: int) -> int:
        """Sends the daemon a signal, waits for its end and returns its exit code."""
        self._daemon().send_signal(number)
        return self._daemon().wait(PATIENCE_SECONDS)

    def wait(self) -> int:
        """Waits for the daemon's end, which something else brings about, and returns its exit code."""
        return self._daemon().wait(PATIENCE_SECONDS)

    def kill(self, *, leave_dead: bool = False) -> None:
        """Ends the daemon by SIGKILL. The dead mount is taken away unless `leave_dead`."""
        # Every command on the way replaces itself by the next: this is the daemon's own process.
        self._daemon().kill()
        self._daemon().wait(PATIENCE_SECONDS)
        if not leave_dead:
            self.run(["fusermount3", "-uz", self.path])

    def end(self) -> None:
        """Ends the daemon and the mount, whatever state they are in."""
        if self.is_alive:
            self._daemon().kill()
            self._daemon().wait(PATIENCE_SECONDS)
        while is_mounted(self.path):
            self.run(["fusermount3", "-uz", self.path])

    def run(self, command: Sequence[str | Path], *, check: bool = True, **options: Any) -> Done:
        """Runs a command as the mount's user; raises AssertionError with its output if it fails and `check` is set."""
        return self._run(self.user.command(command), check=check, **options)

    def artfs(self, *arguments: str | Path, check: bool = True, **options: Any) -> Done:
        """Runs the command `artfs` as the mount's user, in the mount's home."""
        return self._run(self.user.python_command([ARTFS, *arguments]), check=check, **options)

    def status(self) -> dict[str, Any]:
        """What the daemon tells of itself."""
        return json.loads(self.run(["cat", self.path / ".artfs" / "status.json"]).stdout)

    def sync(self) -> None:
        """Waits until everything written so far is a version; fails if something is held."""
        self.artfs("sync", self.path)

    def commit(self, draft: str, *, version: str | None = None, tags: Sequence[str] = ()) -> str:
        """Seals a draft now and returns the version's name."""
        chosen = [] if version is None else ["--version", version]
        tagged = [word for tag in tags for word in ("--tag", tag)]
        printed = self.artfs("commit", self.incoming / draft, *chosen, *tagged).stdout
        return printed.strip().rpartition("/")[2]

    def wait_until(self, predicate: Callable[[], bool], what: str = "the awaited state") -> None:
        """Asks again and again until it is so."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not predicate():
            if time.monotonic() > give_up:
                raise AssertionError(f"{what} did not come within {PATIENCE_SECONDS} s:\n{self.log()}")
            time.sleep(0.02)

    def log(self) -> str:
        """Everything the daemons of this mount have said."""
        files = [self._output, *sorted(self.home.glob("mounts/*/daemon.log*"))]
        lines = [line for file in files if file.exists() for line in file.read_text("utf-8", "replace").splitlines()]
        return "\n".join(lines)

    def _command(self) -> list[str | Path]:
        if self._daemon_command is None:
            return [ARTFS, "mount", "--foreground", *self._options, self.path]
        own: list[str | Path] = ["--home", self.home, "--mount-point", self.path, "--foreground"]
        return [sys.executable, *self._daemon_command, *own, *self._options]

    def _daemon(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("nothing was mounted yet")
        return self._process

    def _run(self, command: list[str], *, check: bool, **options: Any) -> Done:
        done = subprocess.run(
            command,
            **{
                "env": self.environment,
                "cwd": self.base,
                "capture_output": True,
                "text": True,
                "errors": "surrogateescape",
                "timeout": 4 * PATIENCE_SECONDS,
                **options,
            },
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}\n{self.log()}")
        return done

    def _answers(self) -> bool:
        # The kernel always asks the daemon for free space; the rest it may know from the time before a daemon died.
        return is_mounted(self.path) and self.run(["stat", "--file-system", self.path], check=False).returncode == 0

    def _wait_for_the_mount(self, process: subprocess.Popen[bytes]) -> None:
        """Wakes when the kernel's table of mounts changes, or when the process ends."""
        process_end = os.pidfd_open(process.pid)
        try:
            with open("/proc/self/mountinfo", "rb") as mounts:
                changes = select.poll()
                changes.register(mounts, select.POLLERR | select.POLLPRI)
                changes.register(process_end, select.POLLIN)
                while not self._answers():
                    if process.poll() is not None:
                        raise RuntimeError(f"'artfs mount' ended with {process.returncode}:\n{self.log()}")
                    if not changes.poll(PATIENCE_SECONDS * 1000):
                        raise RuntimeError(f"'artfs mount' did not mount in {PATIENCE_SECONDS} s:\n{self.log()}")
        finally:
            os.close(process_end)


def new_base(user: User) -> Path:
    """Makes a directory of the user's own, whose path everybody may enter."""
    base = Path(tempfile.mkdtemp(prefix="artfs-test-"))
    base.chmod(0o755)
    if user.uid is not None and user.gid is not None:
        os.chown(base, user.uid, user.gid)
    return base


def remove_base(base: Path) -> None:
    """Removes such a directory, also what its files' modes would keep their owner from removing."""
    subprocess.run(["chmod", "-R", "u+rwX", base], check=True)
    shutil.rmtree(base)


def is_mounted(path: Path) -> bool:
    """Whether something is mounted exactly at a path. Never asks the mount itself, which may hang."""
    wanted = str(path).replace("\\", "\\134").replace(" ", "\\040")
    return any(line.split(" ")[4] == wanted for line in _mount_table())


def _mount_table() -> list[str]:
    table: IO[str]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        return table.readlines()
