"""TensorFlow's CheckpointManager: one marker for a folder of checkpoints, written anew when the oldest one goes."""

from __future__ import annotations

import pytest

from artfs_mount.incoming.complete.process import Ending, How
from artfs_mount.incoming.complete.rule import Hold, Seal
from support.draft_stories import TRAIN, Story, lived

PART = "data-00000-of-00001"
ONE = (f"0 save ckpt-1.{PART}", "0 save ckpt-1.index", "0 save checkpoint")
TWO = (
    f"9 save ckpt-2.{PART}",
    "9 save ckpt-2.index",
    "9 save checkpoint.tmp1f2e3d",
    "9 rename checkpoint.tmp1f2e3d checkpoint",
)
AGAIN = ("9.2 save checkpoint.tmp1f2e3d",)


def after_a_failure(*lines: str) -> Story:
    """What a program leaves that fails right after these lines."""
    story = lived(*lines, until=9.3, facts={"ended": True, "failed": frozenset({TRAIN})})
    story.history.ended(TRAIN, Ending(How.EXITED, 1), story.now + 0.1)
    return story


@pytest.mark.parametrize(
    "lines",
    [
        ("9.1 remove ckpt-1.index",),
        ("9.1 remove ckpt-1.index", f"9.1 remove ckpt-1.{PART}"),
        ("9.1 remove ckpt-1.index", f"9.1 remove ckpt-1.{PART}", *AGAIN),
        AGAIN,
    ],
)
def test_a_checkpoint_is_complete_although_its_program_failed_while_it_removed_the_one_before(
    lines: tuple[str, ...],
) -> None:
    decision = after_a_failure(*ONE, *TWO, *lines).decide(at=600)
    assert isinstance(decision, Seal)
    assert decision.leave_out <= {b"checkpoint.tmp1f2e3d"}


@pytest.mark.parametrize(
    "lines",
    [
        ("9.1 remove ckpt-2.index",),
        (f"9.1 remove ckpt-2.{PART}", *AGAIN),
        (f"9.1 save ckpt-2.{PART}", *AGAIN),
        (f"9.1 save ckpt-3.{PART}", *AGAIN),
    ],
)
def test_what_took_from_the_newest_one_or_wrote_beside_it_is_not(lines: tuple[str, ...]) -> None:
    """What was kept of it before becomes a version all the same."""
    story = after_a_failure(*ONE, *TWO, *lines)
    first, both = ({name for line in part for name in line.split()[2:]} for part in (ONE, (*ONE, *TWO)))
    story.watch(600)
    assert [version.names for version in story.versions] in ([first], [first, both - {"checkpoint.tmp1f2e3d"}])
    assert isinstance(story.decide(), Hold)


def test_a_part_of_the_same_step_is_no_older_one() -> None:
    parts = [f"0 save ckpt-1.data-0000{part}-of-00002" for part in (0, 1)]
    story = after_a_failure(*parts, "0 save checkpoint", "1 remove ckpt-1.data-00000-of-00002")
    story.watch(600)
    assert isinstance(story.decide(), Hold)
