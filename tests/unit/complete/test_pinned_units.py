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


@pytest.mark.parametrize("marker", [".ckpt", "/optimizer.bin"])
def test_of_a_series_without_markers_each_is_in_a_version_whichever_goes_first(marker: str) -> None:
    """Lightning deletes the former one a moment after it has begun the next, Accelerate a moment before."""
    first, second = f"checkpoint_1{marker}", f"checkpoint_2{marker}"
    gone = "remove" if marker == ".ckpt" else "rmtree"
    then = lived(f"0 save {first}", f"5 save {second}", f"5 {gone} {first.partition('/')[0]}", until=100)
    before = lived(f"0 save {first}", f"5 {gone} {first.partition('/')[0]}", f"5.1 save {second}", until=100)
    for story in (then, before):
        assert [version.names for version in story.versions] == [{first}, {second}]


def test_what_is_deleted_and_followed_by_none_is_in_no_version() -> None:
    assert lived("0 save checkpoint_1.ckpt", "5 remove checkpoint_1.ckpt", until=100).versions == []


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
