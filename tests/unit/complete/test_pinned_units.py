"""Units whose files are kept: what is deleted is in a version, and nothing is in one that is being deleted."""

from __future__ import annotations

import pytest

from support.draft_stories import lived

C5 = ("0 save checkpoint-5/a", "0 save checkpoint-5/trainer_state.json")
ALL = {"checkpoint-5/a", "checkpoint-5/trainer_state.json"}

# What happens to a checkpoint after it is complete; when versions are made, and of what.
STORIES: dict[str, tuple[tuple[str, ...], list[tuple[float, set[str]]]]] = {
    "deleted at once": (("0.1 rmtree checkpoint-5",), [(2, ALL)]),
    "deleted, and others come": (
        ("0.1 rmtree checkpoint-5", "1 save checkpoint-6/a", "1.9 save checkpoint-6/trainer_state.json"),
        [(2, ALL), (3.9, {"checkpoint-6/a", "checkpoint-6/trainer_state.json"})],
    ),
    "another one is complete first": (
        ("0 save d/_SUCCESS", "1 rmtree checkpoint-5", "1 save b"),
        [(2, {"d/_SUCCESS"} | ALL), (61, {"d/_SUCCESS", "b"})],
    ),
    "deleted and begun anew": (
        ("0.1 rmtree checkpoint-5", "1 open checkpoint-5/b", "70 close checkpoint-5/b"),
        [(2, ALL)],
    ),
    "deleted and made anew": (
        ("0.1 rmtree checkpoint-5", "1 save checkpoint-5/b", "3 save checkpoint-5/trainer_state.json"),
        [(2, ALL), (5, {"checkpoint-5/b", "checkpoint-5/trainer_state.json"})],
    ),
    "its deletion stops half-way": (
        ("0.1 remove checkpoint-5/a",),
        [(2, ALL)],
    ),
    "renamed": (("1 rename checkpoint-5 best",), [(3, {"best/a", "best/trainer_state.json"})]),
    "its draft ends meanwhile": (("0.1 rmtree checkpoint-5", "0.2 save b"), [(2, ALL), (60.2, {"b"})]),
    "one of its files is emptied": (("0.5 open checkpoint-5/a", "0.6 rmtree checkpoint-5"), [(2, ALL)]),
}


@pytest.mark.parametrize("what", STORIES)
def test_what_becomes_of_a_checkpoint(what: str) -> None:
    lines, versions = STORIES[what]
    story = lived(*C5, *lines, until=500)
    assert [(round(version.at, 6), version.names) for version in story.versions] == versions


def test_whoever_waits_for_a_draft_gets_what_was_deleted_a_moment_ago() -> None:
    story = lived(*C5, "0.1 rmtree checkpoint-5", until=0.1)
    story.facts.update(ended=True, finish=True)
    story.watch(0.1)
    assert [version.names for version in story.versions] == [ALL]


@pytest.mark.parametrize("where", ["", "out/"])
def test_of_what_is_being_deleted_nothing_is_in_a_version(where: str) -> None:
    """It is in one already; another checkpoint makes the next version in the middle of it."""
    old = [f"{where}{place}/{name}" for place in ("checkpoint-5", "checkpoint-5/deep") for name in "ab"]
    marker = f"{where}checkpoint-5/trainer_state.json"
    new = (f"60 save {where}checkpoint-6/a", f"60 save {where}checkpoint-6/trainer_state.json")
    lines = (*(f"0 save {path}" for path in old), f"0 save {marker}", *new, f"61.9 remove {old[2]}")
    story = lived(*lines, until=63)
    assert [version.at for version in story.versions] == [2, 62]
    assert story.versions[-1].names == {f"{where}checkpoint-6/a", f"{where}checkpoint-6/trainer_state.json"}
