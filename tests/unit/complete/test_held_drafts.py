"""What holds a draft, or a part of it, and what ends that."""

from __future__ import annotations

import pytest

from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.process import Ending, How
from artfs_mount.incoming.complete.rule import Hold, Seal, Wait
from support.draft_stories import TRAIN, lived, told

ENDED = {"ended": True}

BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "a failed write": (("0 open a", "1 failed a", "1 close a"), "a: a write to it failed (ENOSPC); write it again"),
    "a killed writer": (("0 open a", "1 killed a"), "a: a signal killed the program that wrote it; write it again"),
}
# What ends it.
MENDED: dict[str, tuple[str, ...]] = {
    "written anew": ("500 save a",),
    "removed": ("500 remove a",),
    "renamed over": ("500 save a.new", "500 rename a.new a"),
}


@pytest.mark.parametrize("finish", [False, True])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_holds_a_draft_that_is_one_unit(what: str, finish: bool) -> None:
    lines, why = BAD[what]
    story = lived("0 save b", *lines, until=400, facts={**ENDED, "finish": finish})
    assert [version.names for version in story.versions] == ([{"b"}] if finish else [])  # it was asked for before
    decision = story.decide()
    assert isinstance(decision, Hold)
    assert decision.why.startswith(why)


@pytest.mark.parametrize("how", MENDED)
@pytest.mark.parametrize("what", BAD)
def test_what_ends_it(what: str, how: str) -> None:
    story = lived("0 save b", *BAD[what][0], *MENDED[how], until=600, facts=ENDED)
    assert [version.at for version in story.versions] == [510]
    assert story.versions[0].names == {path.decode() for path in story.files}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_in_a_checkpoint_holds_that_alone(what: str) -> None:
    lines = [line.replace(" a", " checkpoint-5/a") for line in BAD[what][0]]
    story = lived(*lines, "2 save checkpoint-6/w", "2 save b", until=100, facts=ENDED)
    assert story.versions[-1].names == {"checkpoint-6/w", "b"}
    decision = story.decide()
    assert isinstance(decision, Hold)
    assert decision.why.startswith("checkpoint-5/a: ")


def test_a_program_that_goes_on_elsewhere_in_the_file_mends_nothing() -> None:
    """Two have it open; one was killed. Only who begins it anew knows what is in it."""
    story = lived("0 open a", "0 open a", "1 killed a", "2 close a", until=100, facts=ENDED)
    assert isinstance(story.decide(), Hold)


def test_a_marker_that_is_missing() -> None:
    half = ("0 save d/data-00000-of-00001.arrow", "0 save d/state.json", "0 save other")
    living = lived(*half, until=500)
    assert living.versions == []
    assert isinstance(living.decide(), Wait)
    ended = lived(*half, until=500, facts=ENDED)
    decision = ended.decide()
    assert isinstance(decision, Hold)
    assert "its marker is missing" in decision.why
    ended.live("600 save d/dataset_info.json", until=700)
    assert [version.at for version in ended.versions] == [602]


def test_a_collection_that_lacks_something_holds_what_lies_in_it_and_no_checkpoint() -> None:
    first = ("0 save out/checkpoint-5/w", "0 save out/checkpoint-5/trainer_state.json")
    lacking = ("5 save out/data-00000-of-00001.arrow", "5 save out/state.json")
    again = ("9 save out/checkpoint-6/w", "9 save out/checkpoint-6/trainer_state.json")
    story = lived(*first, *lacking, *again, until=500)
    assert [version.at for version in story.versions] == [2, 11]
    assert not {"out/state.json"} & story.versions[-1].names


def test_the_draft_itself_is_such_a_collection() -> None:
    first = ("0 save checkpoint-5/w", "0 save checkpoint-5/trainer_state.json")
    lacking = ("5 save data-00000-of-00001.arrow", "5 save state.json")
    again = ("9 save checkpoint-6/w", "9 save checkpoint-6/trainer_state.json")
    story = lived(*first, *lacking, *again, until=500, facts=ENDED)
    assert [version.at for version in story.versions] == [2, 11]
    assert isinstance(story.decide(), Hold)


@pytest.mark.parametrize(
    "lines", [("0 save a",), ("0 append log", "1 write log"), ("0 save checkpoint-5/trainer_state.json",)]
)
def test_a_draft_that_is_held_is_no_version_whatever_is_in_it(lines: tuple[str, ...]) -> None:
    story = lived(*lines, until=500, facts={"ended": False, "held": "the disk is full"})
    assert story.versions == []
    assert story.decide() == Hold("the disk is full")


def test_a_held_draft_says_first_that_a_file_is_open() -> None:
    story = lived("0 open a", until=500, facts={"ended": False, "held": "the disk is full"})
    assert story.decide() == Wait("a is open for writing", None)


INTERRUPTED: dict[str, tuple[str, ...]] = {
    "its end": ("0 save a/model", "1 save a/optimizer"),
    "others of its kind had a marker": (
        *("0 save a/checkpoint-1/model", "0 save a/checkpoint-1/trainer_state.json"),
        *("5 save a/checkpoint-2/model", "60 save a/log.csv"),
    ),
}


@pytest.mark.parametrize("children", [None, {b"a": DraftKind.DIRECTORY}], ids=["draft", "child"])
@pytest.mark.parametrize("what", INTERRUPTED)
def test_what_says_that_a_program_failed_in_the_middle(what: str, children: dict[bytes, DraftKind] | None) -> None:
    """Also where each thing in the draft is a version of its own."""
    story = told(*INTERRUPTED[what], facts={**ENDED, "failed": frozenset({TRAIN}), "children": children})
    story.history.ended(TRAIN, Ending(How.EXITED, 1), story.now + 1)
    decision = story.decide(at=600)
    left_out = decision.leave_out if isinstance(decision, Seal) else {b"a"}
    assert {path.partition(b"/")[0] for path in left_out} == {b"a"}, decision
