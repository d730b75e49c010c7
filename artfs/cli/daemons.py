"""The daemons of this machine and who uses their mounts, as /proc and the home tell."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from artfs.home.home import Home
from artfs.linux.mounts import without_links

PROC = Path("/proc")
DAEMON = b"artfs_mount"
MOUNT_POINT = b"--mount-point"


@dataclass(frozen=True, slots=True)
class MountUser:
    """A process that has something below a mount open."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class AreaState:
    """A folder in which a mount keeps its drafts between starts.

    Args:
        path: the folder.
        mount_point: where it was last mounted, if ever.
        is_served: whether a daemon has it now.
        pid: that daemon.
        drafts: the names of those that are not versions.
    """

    path: Path
    mount_point: Path | None
    is_served: bool
    pid: int | None
    drafts: list[str]


def areas(home: Home) -> list[AreaState]:
    """Return the areas of a home."""
    if not home.mounts.is_dir():
        return []
    return [_area(path) for path in sorted(home.mounts.iterdir()) if path.is_dir() and os.access(path, os.X_OK)]


def daemon_of(mount_point: Path) -> int | None:
    """Return the process that serves a mount, whoever's home it uses, as its command line tells."""
    for pid in _processes():
        if mount_point in _mount_points(_arguments(pid)):
            return pid
    return None


def is_daemon(pid: int) -> bool:
    """Return whether a process of this machine is a daemon of artfs, and no other that got its id."""
    return DAEMON in _arguments(pid)


def users_of(mount_point: Path) -> list[MountUser]:
    """Return the processes that use something below a mount, of those that this user may look at."""
    found = []
    for pid in _processes():
        process = PROC / str(pid)
        if pid != os.getpid() and any(path.is_relative_to(mount_point) for path in _used_by(process)):
            with suppress(OSError):  # it has ended by now
                found.append(MountUser(pid, (process / "comm").read_text("utf-8", "replace").strip()))
    return found


def _processes() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _arguments(pid: int) -> list[bytes]:
    """The command line of a process; empty when it has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _mount_points(arguments: list[bytes]) -> list[Path]:
    """Where a daemon with these arguments has mounted; nowhere for any other process."""
    if DAEMON not in arguments or MOUNT_POINT not in arguments[:-1]:
        return []
    return [without_links(Path(os.fsdecode(arguments[arguments.index(MOUNT_POINT) + 1])))]


def _used_by(process: Path) -> Iterator[Path]:
    """Where a process is, what it runs, has open and has mapped. Links are read, and never followed into the mount."""
    for name in ("cwd", "root", "exe"):
        with suppress(OSError):
            yield Path(os.readlink(process / name))
    with suppress(OSError):
        for name in os.listdir(process / "fd"):
            with suppress(OSError):
                yield Path(os.readlink(process / "fd" / name))
    with suppress(OSError):
        for line in (process / "maps").read_text("utf-8", "surrogateescape").splitlines():
            yield Path(line.split(maxsplit=5)[-1])


def _area(path: Path) -> AreaState:
    facts = _read_json(path / "mount.json")
    point, pid = facts.get("mount_point"), facts.get("pid")
    records = [_read_json(record) for record in sorted(path.glob("drafts/*.json"))]
    return AreaState(
        path,
        Path(point) if isinstance(point, str) else None,
        isinstance(pid, int) and is_daemon(pid),
        pid if isinstance(pid, int) else None,
        [str(record.get("name")) for record in records if record.get("state") != "sealed"],
    )


def _read_json(path: Path) -> dict[str, object]:
    """What a file of a daemon says; nothing where there is none, or while it is being replaced."""
    with suppress(FileNotFoundError, ValueError):
        facts = json.loads(path.read_bytes())
        return facts if isinstance(facts, dict) else {}
    return {}
