"""What one draft costs does not depend on how many others there are."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
import trio

from artfs.workspace.workspace import Workspace
from artfs_mount.incoming import area as areas
from artfs_mount.incoming import control
from artfs_mount.incoming.commit import DraftCommit
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.loop.room import Room
from artfs_mount.loop.supervisor import Supervisor
from artfs_mount.sealer import Sealer
from artfs_mount.status import Status

OTHERS = 50


@pytest.fixture
def incoming(home: Path, tmp_path: Path) -> Incoming:
    """Drafts, without a mount."""
    workspace = Workspace.open(home)
    (tmp_path / "mnt").mkdir()
    made = Incoming(workspace, areas.claim(workspace.home.mounts, tmp_path / "mnt"))
    for number in range(OTHERS):
        (Path(os.fsdecode(made.path(b"other %d" % number)))).write_bytes(b"x")
        made.drafts.touch(b"other %d" % number)
    return made


def test_a_question_about_one_draft_looks_at_no_other(incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    kind = incoming.kind
    monkeypatch.setattr(incoming, "kind", lambda name: looked.append(name) or kind(name))
    status = control.status_of(incoming, incoming.draft(b"other 7"))
    assert (status.name, status.state) == ("other 7", "settling")
    assert set(looked) == {b"other 7"}
    assert control.statuses(incoming)[7].state == "settling"
    assert len(set(looked)) == OTHERS


def test_a_change_of_one_draft_has_no_other_looked_at(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked: list[bytes] = []
    decision = incoming.decision
    monkeypatch.setattr(incoming, "decision", lambda draft: looked.append(draft.name) or decision(draft))
    incoming.quiet = Quiet(3600, 3600)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            begin = functools.partial(DraftCommit, incoming, tmp_path / "mnt")
            sealer = Sealer(incoming, begin, Supervisor(nursery, Status({})), Room(incoming))
            nursery.start_soon(sealer.watch)
            with trio.fail_after(60):
                while len(looked) < OTHERS:  # all, when the daemon begins
                    await trio.sleep(0.01)
                looked.clear()
                incoming.drafts.touch(b"other 7")
                while not looked:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert set(looked) == {b"other 7"}
