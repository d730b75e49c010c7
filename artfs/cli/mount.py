"""`artfs mount`: starts the daemon, and tells whether it mounted."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import click

from artfs.cli.printing import say
from artfs.cli.session import Session, pass_session
from artfs.errors import MountError

DAEMON = ("artfs_mount", "pyfuse3", "trio")
"""The daemon's package and what it imports; a plain installation of artfs comes without."""

READY = "ready"


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, readable=False))
@click.option("--foreground", is_flag=True, help="Stay, and log to the terminal; Ctrl-C unmounts.")
@click.option("--allow-other", is_flag=True, help="Let other users use the mount (see user_allow_other in fuse.conf).")
@pass_session
def mount(session: Session, directory: Path, foreground: bool, allow_other: bool) -> None:
    """Show all artifacts as files below DIR, and take in what is written there.

    DIR must be an empty directory. Returns when the mount answers; its daemon goes on in the background until
    'artfs umount DIR'. The home is made where there is none yet.
    """
    _require_daemon()
    is_new = not session.home.exists
    command = _daemon(session.home.path, directory, allow_other)
    if foreground:
        sys.stdout.flush()
        os.execv(sys.executable, [*command, "--foreground"])
    _start(command)
    shown = shlex.quote(str(directory))
    if session.home.is_writable:
        say(f"mounted at {directory}: write into {shown}/incoming, read from {shown}/artifacts")
    else:
        say(f"mounted at {directory}: read from {shown}/artifacts; the home can only be read, so there is no incoming")
    if is_new:
        say(f"made a new artfs home at {session.home.path}")


def _require_daemon() -> None:
    missing = [name for name in DAEMON if find_spec(name) is None]
    if missing:
        raise MountError(f"mounting needs {' and '.join(missing)}; install it: pip install 'artfs[mount]'")


def _daemon(home: Path, directory: Path, allow_other: bool) -> list[str]:
    # -P: a module of the directory at hand must not take the place of one of ours.
    command = [sys.executable, "-P", "-m", "artfs_mount", "--home", str(home)]
    return [*command, "--mount-point", os.path.abspath(directory), *(["--allow-other"] if allow_other else [])]


def _start(command: list[str]) -> None:
    """Start the daemon in the background and wait until it serves. Raises MountError with its reason if it does not."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as answer, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, "--ready-fd", str(writing)],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd="/",
            start_new_session=True,
        )
        os.close(writing)
        try:
            line = answer.readline().decode("utf-8", "surrogateescape").rstrip("\n")
        except KeyboardInterrupt:
            process.terminate()
            raise
        if line == READY:
            return
        code = process.wait()
        raise MountError(line or _last_words(errors, code))


def _last_words(errors: IO[bytes], code: int) -> str:
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    said = lines[-1] if lines else f"exit code {code}"
    return f"the daemon ended before it served the mount: {said}; its log is daemon.log below mounts/ in the home"
