"""`artfs umount`: ends a mount and waits for its daemon."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from artfs.cli import daemons
from artfs.cli.printing import say, waiting
from artfs.errors import MountError, NotMounted
from artfs.linux import mounts

SHOWN_AT_MOST = 5


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--lazy", is_flag=True, help="Take DIR out of the tree even if programs use it; they keep what they have open."
)
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait for the daemon's end.")
def umount(directory: Path, lazy: bool, timeout: float) -> None:
    """End the mount at DIR, and wait until its daemon has ended.

    Drafts that are not versions yet stay as they are, and go on at the next mount. Also takes away a mount whose
    daemon has died.
    """
    path = mounts.without_links(directory)
    mount = mounts.mounted_at(path)
    if mount is None:
        raise NotMounted(f"{directory}: nothing is mounted there; 'artfs status' lists the mounts", subject=directory)
    if not mount.is_artfs:
        raise NotMounted(
            f"{directory}: it is not ours, a {mount.file_system} is mounted there; use 'umount'", subject=directory
        )
    if lazy:
        # Nothing is asked of the daemon: this is also the way out when it hangs.
        mounts.unmount(path, lazy=True)
        say(f"unmounted {directory}; the daemon ends when nobody uses it any more")
        return
    is_dead = mount.is_dead
    status = {} if is_dead else _status(path)
    pid = status.get("pid") or daemons.daemon_of(path)
    with _watched(pid) as daemon:
        try:
            mounts.unmount(path, lazy=is_dead)
        except MountError as error:
            raise _with_users(error, path) from error
        if daemon is not None:
            _wait(daemon, int(pid or 0), timeout)
    say(f"unmounted {directory}")
    _tell_of_drafts(status)


def _status(path: Path) -> dict[str, Any]:
    """What the daemon says; nothing when this user may not look into the mount, as root may not into that of others."""
    try:
        return mounts.read_status(path)
    except MountError:
        return {}


@contextmanager
def _watched(pid: int | None) -> Iterator[int | None]:
    """A descriptor that becomes readable when the daemon ends; None when no daemon of that id is there."""
    if pid is None or not daemons.is_daemon(pid):
        yield None
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wait(daemon: int, pid: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(daemon, select.POLLIN)
    with waiting("waiting for the daemon to end"):
        ended = poll.poll(seconds * 1000)
    if not ended:
        raise MountError(
            f"unmounted, but the daemon (process {pid}) is still busy after {seconds:g} s; see its daemon.log in the "
            "home's mounts/, or wait longer with --timeout"
        )


def _with_users(error: MountError, path: Path) -> MountError:
    """The same error, naming the programs that keep the mount busy."""
    if error.errno != errno.EBUSY:
        return error
    users = daemons.users_of(path)
    named = ", ".join(f"{user.command} (process {user.pid})" for user in users[:SHOWN_AT_MOST])
    more = f" and {len(users) - SHOWN_AT_MOST} more" if len(users) > SHOWN_AT_MOST else ""
    by = f" by {named}{more}" if users else ""
    return MountError(f"{path}: it is in use{by}; end that first, or use 'artfs umount --lazy'", subject=path)


def _tell_of_drafts(status: dict[str, Any]) -> None:
    for draft in status.get("drafts", []):
        if draft["state"] != "sealed":
            why = f": {draft['reason']}" if draft.get("reason") else ""
            line = f"not a version yet, goes on at the next mount: {draft['name']} ({draft['state']}{why})"
            say(line)
