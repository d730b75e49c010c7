"""A short run of what `scripts/kill-frameworks` does for longer."""

from __future__ import annotations

import random

import pytest

from support.campaign import Campaign
from support.rotation import Rotated, trainings

TRAININGS = 5
SAVES = 8
REST_SECONDS = 0.6

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def rotated(campaign: Campaign) -> list[Rotated]:
    return trainings(campaign, random.Random(10), TRAININGS, SAVES, REST_SECONDS)


def test_trainings_were_ended_in_the_middle(rotated: list[Rotated]) -> None:
    assert all(each.outcome.code != 0 for each in rotated)
    assert any(len(each.outcome.finished) > 2 for each in rotated)


def test_every_finished_checkpoint_of_a_training_that_a_signal_ended(rotated: list[Rotated]) -> None:
    lost = [f"{each.outcome.code}: {fault}" for each in rotated for fault in each.outcome.lost]
    assert not lost, "\n".join(lost)


def test_no_half_checkpoint_of_a_training_that_a_signal_ended(rotated: list[Rotated]) -> None:
    half = [f"{each.outcome.code}: {fault}" for each in rotated for fault in each.outcome.half]
    assert not half, "\n".join(half)
