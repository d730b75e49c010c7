"""Other users of this machine, who are in no group that anything belongs to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.mount import MYSELF, Done, Mount, User, new_base, remove_base

BEA = User("bea", 31_234, 31_234)
CARL = User("carl", 31_235, 31_235)


def let_all_reach(path: Path) -> None:
    """Open a folder of a test, and those above it that are closed, for all to go through: pytest closes its own."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if mode & 0o011 != 0o011:
            folder.chmod(mode | 0o011)


def run(user: User, command: Sequence[str | Path], *, check: bool = True, **options: Any) -> Done:
    """Runs a command as a user. Fails the test with what it said if it fails and `check` is set."""
    done = subprocess.run(user.command(command), cwd="/", capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
    return done


def shell(user: User, script: str, *arguments: str | Path, check: bool = True) -> Done:
    """Runs a script, to which the arguments are $1, $2, ..."""
    return run(user, ["bash", "-c", script, "bash", *arguments], check=check)


def may(user: User, command: str, *arguments: str | Path) -> bool:
    """Whether a command works for a user; the system must say that he has not the rights when it does not."""
    done = run(user, [command, *arguments], check=False)
    assert done.returncode == 0 or "ermission denied" in done.stderr or "not permitted" in done.stderr, done.stderr
    return done.returncode == 0


def open_mount(settings: Mapping[str, float], *, expected: str | None = None) -> Iterator[Mount]:
    """Root's mount in which everybody may make drafts, for all tests of a module; skipped where those are not root's.

    They fail at the end if the daemon logged a warning other than `expected`.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can act as other users")
    mount = Mount(new_base(MYSELF), options=["--allow-other"], settings=settings).mount()
    mount.incoming.chmod(0o1777)
    yield mount
    mount.unmount()
    bad = [line for line in mount.log().splitlines() if " WARNING " in line or " ERROR " in line]
    mount.end()
    remove_base(mount.base)
    assert [line for line in bad if expected is None or expected not in line] == []
