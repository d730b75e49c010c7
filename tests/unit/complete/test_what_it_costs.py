"""What a look at a draft costs, counted in calls: it is looked at up to ten times a second."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest

from artfs_mount.incoming.complete.folding import PATHS_KEPT
from artfs_mount.incoming.complete.rule import Seal, decide, to_pin
from support.draft_stories import QUIET, Story


def training(units: int, files: int) -> Story:
    """A training with so many checkpoints that no version has yet, of so many files each."""
    story = Story()
    for unit in range(units):
        for file in range(files - 2):
            story.tell(f"{unit} save out/checkpoint-{unit}/model-{file}.safetensors")
        story.tell(f"{unit} save out/checkpoint-{unit}/trainer_state.json")
    return story.tell(f"{units} open out/checkpoint-{units}/model")


def calls(act: Callable[[], object]) -> int:
    """How many functions written in Python, or in C, are called."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("later", [0, 1, 1000])
def test_it_grows_with_the_paths_and_not_with_the_units(later: float) -> None:
    counts = []
    for units in (10, 100):
        story = training(units, 1000 // units)
        assert 900 < len(story.history.paths) <= PATHS_KEPT
        known = story.known(story.now + later)
        assert isinstance(decide(known, QUIET), Seal)
        counts.append(calls(partial(decide, known, QUIET)) + calls(partial(to_pin, known, QUIET)))
    few, many = counts
    assert many < 2 * few
    assert many < 60 * PATHS_KEPT
