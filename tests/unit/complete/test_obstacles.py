"""What keeps paths of a draft out of versions, and since when."""

from __future__ import annotations

import errno

import pytest

from artfs_mount.incoming.complete.events import Checked, Closed, Event, Failed, Made, Opened, Removed, Stamp
from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.history import DraftHistory
from artfs_mount.incoming.complete.known import Facts
from artfs_mount.incoming.complete.obstacles import Obstacle, obstacles
from artfs_mount.incoming.complete.process import Ending, How, Process
from artfs_mount.incoming.complete.settings import Quiet

WRITER = Process(7, 7)
NAME = "run"


def at(seconds: float) -> Stamp:
    return Stamp(seconds, WRITER)


def written(path: bytes, seconds: float, handle: int = 1, ending: Ending | None = None) -> list[Event]:
    """A file that was made and closed."""
    closed = Closed(path, at(seconds), handle, ending or Ending(How.CLOSED))
    return [Made(path, at(seconds - 1)), Opened(path, at(seconds - 1), handle, writes=True), closed]


def found(events: list[Event], *, kind: DraftKind = DraftKind.DIRECTORY, ended: bool = True) -> list[Obstacle]:
    history = DraftHistory()
    for event in events:
        history.add(event)
    return obstacles(Facts(NAME, kind, 100.0, history, ended=ended), Quiet())


def told(events: list[Event], *, ended: bool = True) -> list[tuple[bytes, bool, bool, float]]:
    return [(each.path, each.waits, each.left, each.since) for each in found(events, ended=ended)]


def test_nothing_wrong() -> None:
    assert found(written(b"a/weights", 5)) == []


def test_an_open_file_waits() -> None:
    events: list[Event] = [Made(b"a", at(3)), Opened(b"a", at(4), 1, writes=True)]
    assert told(events, ended=False) == [(b"a", True, False, 4)]


def test_a_log_is_no_obstacle() -> None:
    assert found([Made(b"a.log", at(3)), Opened(b"a.log", at(4), 1, writes=True)], ended=False) == []


@pytest.mark.parametrize(("ended", "waits"), [(True, False), (False, True)])
def test_a_temporary_name(ended: bool, waits: bool) -> None:
    """It waits while a writer lives, and is left afterwards."""
    assert told(written(b"a/x.tmp", 5), ended=ended) == [(b"a/x.tmp", waits, ended, 5)]


@pytest.mark.parametrize("ended", [True, False])
def test_a_temporary_directory_is_told_once(ended: bool) -> None:
    events = [*written(b"7.orbax-checkpoint-tmp/a", 5), *written(b"7.orbax-checkpoint-tmp/b.tmp", 9)]
    [only] = found(events, ended=ended)
    assert (only.path, only.left, only.since) == (b"7.orbax-checkpoint-tmp", ended, 9)
    assert only.why.startswith("7.orbax-checkpoint-tmp") and "/" not in only.why


def test_what_is_held() -> None:
    events = [
        *written(b"failed", 5),
        Failed(b"failed", at(6), errno.errorcode[errno.ENOSPC]),
        *written(b"killed", 5, 2, Ending(How.KILLED, 9)),
        *written(b"half.safetensors", 5, 3),
        Checked(b"half.safetensors", at(8), "the header says 9 bytes, 5 are there"),
    ]
    assert told(events) == [
        (b"failed", False, False, 6),
        (b"half.safetensors", False, False, 5),
        (b"killed", False, False, 5),
    ]
    assert found(events)[1].why.startswith("half.safetensors: the header says 9 bytes, 5 are there;")


def test_what_a_killed_program_left_is_left() -> None:
    around = (b"", False, False, 5)  # whatever it was to be is missing there
    assert told(written(b"x.tmp", 5, ending=Ending(How.KILLED, 9))) == [around, (b"x.tmp", False, True, 5)]


def test_what_is_removed_is_no_obstacle() -> None:
    assert found([*written(b"x.tmp", 5), Removed(b"x.tmp", at(6))]) == []


def test_a_draft_that_is_a_file() -> None:
    events = [*written(b"", 5), Failed(b"", at(6), "ENOSPC")]
    [only] = found(events, kind=DraftKind.FILE)
    assert (only.path, only.why) == (b"", "a write to it failed (ENOSPC); write it again or remove it")


@pytest.mark.parametrize(("seconds", "obstacles_told"), [(2.0, 1), (1.0, 0)])
def test_how_soon_before_its_end_a_program_wrote_is_measured_by_the_configuration(
    seconds: float, obstacles_told: int
) -> None:
    history = DraftHistory()
    for event in written(b"model", 3):
        history.add(event)
    history.ended(WRITER, Ending(How.EXITED, 1), 4.5)
    facts = Facts(NAME, DraftKind.DIRECTORY, 100.0, history, failed=frozenset({WRITER}))
    assert len(obstacles(facts, Quiet(unit=seconds))) == obstacles_told
