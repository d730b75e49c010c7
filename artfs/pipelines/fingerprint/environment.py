"""What a run ran in: Python, packages, machine, git commit. Recorded once and shared by all runs in it."""

from __future__ import annotations

import functools
import os
import platform
import sys
from pathlib import Path
from typing import Any


def environment() -> dict[str, Any]:
    """The facts of this process's environment. No child process is started for any of them."""
    return {**_lasting(), "git": _git(Path.cwd())}


@functools.cache
def _lasting() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        # Not platform.platform(), which starts a process to ask for the processor.
        "platform": "-".join((os.uname().sysname, os.uname().release, os.uname().machine)),
        "executable": sys.executable,
        "packages": installed(),
    }


def installed() -> dict[str, str]:
    """Installed distributions and their versions, as the names of their `.dist-info` directories tell.

    The standard says what those are called; to read the metadata in them would take a hundred times as long.
    """
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        try:
            names = os.listdir(folder)
        except OSError:
            continue  # a zip file, or not there
        for name in names:
            distribution, dash, version = name.removesuffix(".dist-info").rpartition("-")
            if dash and name.endswith(".dist-info"):
                found.setdefault(distribution.replace("_", "-").lower(), version)
    return dict(sorted(found.items()))


def _git(folder: Path) -> dict[str, Any] | None:
    """The commit that is checked out, and whether tracked files differ from it; None outside of a repository."""
    root = next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)
    if root is None:
        return None
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        with Repo(str(root)) as repository:
            head = repository.head().decode()
            return {"commit": head, "dirty": _is_dirty(repository, root)}
    except (KeyError, NotGitRepository, OSError):
        return None  # a repository without commits, or one that cannot be read


def _is_dirty(repository: Any, root: Path) -> bool:
    """Whether a tracked file's size or time is not what the index says: cheap, and right but for files only touched."""
    index = repository.index_path()
    stamp = os.stat(index)
    for path, size, seconds in _tracked(index, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)):
        try:
            status = os.lstat(os.path.join(os.fsencode(root), path))
        except FileNotFoundError:
            return True
        if status.st_size != size or int(status.st_mtime) != seconds:
            return True
    return False


@functools.lru_cache(maxsize=4)
def _tracked(index: str, stamp: tuple[int, ...]) -> list[tuple[bytes, int, int]]:
    """Path, size and mtime in seconds of all that an index lists. It is read anew when its stamp is another one."""
    from dulwich.index import Index, IndexEntry

    return [
        # What a merge has left in conflict differs from every commit: no file has this size.
        (path, entry.size, int(_seconds(entry.mtime))) if isinstance(entry, IndexEntry) else (path, -1, 0)
        for path, entry in Index(index).items()
    ]


def _seconds(mtime: Any) -> float:
    return float(mtime[0]) if isinstance(mtime, tuple) else float(mtime)
