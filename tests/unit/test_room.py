"""The look after the disk. What goes when it is short of room is tested on a small one, in tests/faults."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from artfs.artifacts.scan import scan
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming import area as areas
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.loop.room import RESERVED_SHARE, Ballast, Room
from artfs_mount.status import Status
from support.versions import seal

DEADLINE = 30


@pytest.fixture
def incoming(home: Path, tmp_path: Path) -> Iterator[Incoming]:
    with Workspace.open(home) as workspace:
        (tmp_path / "mnt").mkdir()
        area = areas.claim(workspace.home.mounts, tmp_path / "mnt")
        yield Incoming(workspace, area)
        area.close()


def watched(incoming: Incoming, act: Callable[[Room], Awaitable[None]]) -> Room:
    """Has somebody watch while something is done."""
    room = Room(incoming)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.watch)
            with trio.fail_after(DEADLINE):
                await act(room)
            nursery.cancel_scope.cancel()

    trio.run(main)
    return room


async def until(holds: Callable[[], object]) -> None:
    while not holds():
        await trio.sleep(0.01)


def test_a_change_has_somebody_look(incoming: Incoming) -> None:
    async def act(room: Room) -> None:
        room.changed(b"run")
        await until(lambda: room.told()["disks"])

    [disk] = watched(incoming, act).told()["disks"]
    found = os.statvfs(incoming.area.path)
    assert disk["reserve"] == found.f_blocks * found.f_frsize // RESERVED_SHARE


def test_the_largest_unit_of_a_draft_is_measured_else_all_of_it(incoming: Incoming, tmp_path: Path) -> None:
    for name in ("checkpoint-1", "checkpoint-2"):
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "weights").write_bytes(name.encode() * 100)
    version = seal(scan(tmp_path / "run"), incoming.workspace, "run", adopt=False, sealed_by="commit")
    Path(os.fsdecode(incoming.path(b"run"))).mkdir()
    incoming.drafts.touch(b"run")
    sizes: list[int] = []

    def draft(*units: bytes) -> Any:
        return SimpleNamespace(name=b"run", history=SimpleNamespace(units=dict.fromkeys(units)))

    async def act(room: Room) -> None:
        for each in (draft(b"checkpoint-1", b"gone"), draft()):
            room.sealed(each, version)
            before = room.told()["largest_unit"]
            await until(lambda before=before: room.told()["largest_unit"] != before)
            sizes.append(room.told()["largest_unit"])

    watched(incoming, act)
    assert sizes == [1200, version.bytes]


@pytest.mark.expected_warnings("no room can be made")
def test_a_store_that_is_away_is_told_and_the_next_look_may_be_well(incoming: Incoming) -> None:
    root = Path(incoming.workspace.stores.local()[0].root)
    root.mkdir(exist_ok=True)
    incoming.workspace.stores.active  # noqa: B018 - it gets its mark
    away = root.with_name("away")

    async def act(room: Room) -> None:
        root.rename(away)
        room.ran_out()
        await until(lambda: room.told()["error"])
        away.rename(root)
        room.ran_out()
        await until(lambda: room.told()["error"] is None and room.told()["disks"])

    watched(incoming, act)


@pytest.mark.expected_warnings("write: ")
def test_whoever_finds_no_room_is_heard() -> None:
    heard = []
    status = Status({})
    status.on(errno.ENOSPC, lambda: heard.append(1))
    for error in (errno.ENOENT, errno.ENOSPC, errno.EINVAL):
        status.failed("write", OSError(error, "no"), error)
    assert heard == [1]


def test_the_ballast_can_be_dropped_once(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast")
    assert not ballast.drop()
    ballast.take()
    ballast.take()
    assert (tmp_path / "ballast").stat().st_blocks > 0
    assert ballast.drop()
    assert not ballast.drop()
