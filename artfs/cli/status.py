"""`artfs status`: what the daemons say of themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from artfs.cli.printing import (
    count,
    json_option,
    moment,
    print_described,
    print_json,
    print_record,
    print_table,
    readable_count,
    readable_size,
    say,
    size,
    text,
    took,
    yes_no,
)
from artfs.cli.session import Session, pass_session
from artfs.describe.owed import owed
from artfs.errors import MountError
from artfs.linux import mounts
from artfs.text.times import iso

OWED = {
    "what": text("owed"),
    "store": text("to"),
    "left": size("left"),
    "rate": size("a second"),
    "paused": yes_no("paused"),
    "attempts": count("attempts"),
    "since": moment("fails since"),
    "error": text("error"),
}
SHOWN = 20
"""So much of what is owed is shown, the oldest first."""


@dataclass(frozen=True, slots=True)
class MountStatus:
    """A mount and what its daemon says; nothing if it has died or does not answer, which `problem` tells."""

    path: Path
    status: dict[str, Any]
    problem: str | None = None

    def drafts(self, *states: str) -> list[dict[str, Any]]:
        """Return the drafts in one of these states, or all that are not versions."""
        drafts = self.status.get("drafts", [])
        return [draft for draft in drafts if (draft["state"] in states if states else draft["state"] != "sealed")]

    @property
    def errors(self) -> dict[str, Any]:
        found = self.status.get("errors", {})
        return found if isinstance(found, dict) else {}


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@json_option
@pass_session
def status(session: Session, directory: Path | None, as_json: bool) -> None:
    """Show drafts and errors of the mount that DIR is in, or all mounts and what is owed.

    A draft is open (somebody writes it, or it waits for something), settling (it becomes a version soon), sealing,
    sealed (it is a version), held, or aside (no artifact as it is, such as a temporary file); the reason is in the last
    column. Then come the files and checkpoints that are in no version yet, with the time since they last changed: open
    (they wait), held, or left (by a program that has ended). Without DIR: your mounts, what is in the home, and what it
    still owes to artifact stores, oldest first.
    """
    if directory is not None:
        found = mounts.read_status(mounts.artfs_of(directory))
        if as_json:
            print_json(found)
        else:
            _print_mount(found)
        return
    mine = [_asked(mount) for mount in mounts.all_mounts() if mount.is_artfs and mount.user_id in (None, os.getuid())]
    home = _home_facts(session)
    if as_json:
        print_json({"home": home, "mounts": [_mount_json(mount) for mount in mine]})
        return
    _print_home(home)
    say()
    _print_mounts(mine)


def _asked(mount: mounts.Mounted) -> MountStatus:
    if mount.is_dead:
        return MountStatus(mount.path, {}, f"its daemon has died; mount it again: artfs mount {mount.path}")
    try:
        return MountStatus(mount.path, mounts.read_status(mount.path))
    except MountError as error:
        return MountStatus(mount.path, {}, str(error))


def _home_facts(session: Session) -> dict[str, Any]:
    path = str(session.home.path)
    if not session.home.exists:
        return {"path": path, "exists": False}
    with session.workspace() as workspace:
        catalog = workspace.catalog
        return {
            "path": path,
            "exists": True,
            "artifacts": catalog.artifacts.count(),
            "versions": catalog.versions.count(),
            "bytes": catalog.blobs.total_bytes(),
            "owed": owed(workspace.transfers.owed()),
        }


def _mount_json(mount: MountStatus) -> dict[str, Any]:
    return {"mount_point": str(mount.path), "problem": mount.problem, "status": mount.status or None}


def _print_home(home: dict[str, Any]) -> None:
    if home["exists"]:
        columns = [text("home"), count("artifacts"), count("versions"), size("bytes")]
        print_record([(column, home["path" if column.title == "home" else column.title]) for column in columns])
        if home["owed"]:
            say()
            print_described(OWED, home["owed"][:SHOWN], empty="")
            more = len(home["owed"]) - SHOWN
            if more > 0 and sys.stdout.isatty():
                say(f"and {more:,} more")
    else:
        print_record([(text("home"), f"{home['path']} (not there yet: run 'artfs init' or 'artfs mount DIR')")])


def _print_mounts(found: Sequence[MountStatus]) -> None:
    columns = [
        text("mount point"), text("home"), text("process"), count("drafts"), count("held"), count("errors"),
        size("memory"), text("problem"),
    ]  # fmt: skip
    rows = [
        [
            mount.path,
            mount.status.get("home"),
            mount.status.get("pid"),
            len(mount.drafts()),
            len(mount.drafts("held")),
            mount.errors.get("count"),
            mount.status.get("rss_peak_bytes"),
            mount.problem,
        ]
        for mount in found
    ]
    print_table(columns, rows, empty="No mounts. Make one: artfs mount DIR")


def _print_mount(found: dict[str, Any]) -> None:
    mount = MountStatus(Path(found.get("mount_point", "")), found)
    why = found.get("read_only")
    print_record(
        [
            (text("mount point"), mount.path),
            (text("home"), found.get("home")),
            (text("process"), found.get("pid")),
            (moment("since"), _time(found.get("started"))),
            (size("memory"), found.get("rss_peak_bytes")),
            (count("open files"), found.get("open_files")),
            (count("errors"), mount.errors.get("count")),
            *([(text("read-only"), why)] if why else []),
        ]
    )
    say()
    print_table(
        [text("draft"), text("state"), text("version"), took("unchanged"), text("reason")],
        [
            [
                draft["name"],
                draft["state"],
                draft["version"],
                None if draft["state"] == "sealed" else draft.get("age"),
                draft["reason"],
            ]
            for draft in found.get("drafts", [])
        ],
        empty="No drafts: nothing is in incoming/.",
    )
    _print_obstacles(found.get("drafts", []))
    _print_room(found.get("room", {}))
    if failures := mount.errors.get("last"):
        say()
        rows = [[_time(failure["at"]), failure["request"], failure["message"]] for failure in failures]
        print_table([moment("at"), text("request"), text("error")], rows, empty="")


def _print_obstacles(drafts: Sequence[dict[str, Any]]) -> None:
    """What of drafts is in no version, with the reasons. What is wrong with all of a draft was told with it."""
    rows = [
        [os.path.join(draft["name"], each["path"]), _state_of(each), each["seconds"], each["why"]]
        for draft in drafts
        for each in draft.get("obstacles", [])
        if each["path"]
    ]
    if rows:
        say()
        print_table([text("in no version"), text("state"), took("unchanged"), text("reason")], rows, empty="")
    more = sum(draft.get("obstacle_count", 0) - len(draft.get("obstacles", [])) for draft in drafts)
    if more:
        say(f"and {more:,} more")


def _state_of(obstacle: dict[str, Any]) -> str:
    if obstacle["left"]:
        return "left"
    return "open" if obstacle["waits"] else "held"


def _print_room(room: dict[str, Any]) -> None:
    """What went for room on the disk, and that there is less than there should be."""
    lines = [
        f"{_time(each['at'])}: purged {readable_count(each['versions'], 'version')} of {each['artifact']} for room, "
        f"oldest {each['oldest']}..{each['newest']}"
        for each in room.get("removed", [])
    ]
    lines += [
        f"{disk['path']}: {readable_size(disk['free'])} are free, and {readable_size(disk['reserve'])} should be"
        for disk in room.get("disks", [])
        if disk["free"] < disk["reserve"]
    ]
    if room.get("error"):
        lines.append(f"no room can be made on the disk: {room['error']}")
    for line in ["", *lines] if lines else []:
        say(line)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else iso(int(seconds * 1_000_000))
