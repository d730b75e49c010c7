"""safetensors itself, which gives a temporary file its size first and renames it while it is open."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support.campaign import Campaign
from support.drafts import wait_for_version
from support.mount import PATIENCE_SECONDS
from support.real import folders, writing

torch: Any = pytest.importorskip("torch")
safetensors: Any = pytest.importorskip("safetensors.torch")

KILLS = 3
FILE = "model.safetensors"


def _saves(campaign: Campaign, name: str) -> list[float]:
    """The save that each version is. Fails for one that the library does not load, or that has anything else."""
    found = []
    for version in folders(campaign.mount, name):
        assert os.listdir(version) == [FILE]
        [weight] = torch.unique(safetensors.load_file(version / FILE)["w"]).tolist()
        found.append(weight)
    return found


def test_each_save_is_a_version(campaign: Campaign) -> None:
    name = "real-safetensors"
    folder = campaign.mount.incoming / name
    folder.mkdir()
    with writing("safetensors", folder / FILE, 1) as writer:
        assert writer.until_saved()
        writer.go_on()
        assert writer.end() == 0
    campaign.settle()
    assert _saves(campaign, name) == [1.0]


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_save_that_is_killed_in_the_middle_is_no_version(campaign: Campaign, seed: int) -> None:
    """And the save before it is one. What it leaves is a file of the full size under a temporary name."""
    name = f"real-safetensors-killed-{seed}"
    folder = campaign.mount.incoming / name
    folder.mkdir()
    with writing("safetensors", folder / FILE, 50) as writer:
        assert writer.until_saved()
        wait_for_version(campaign.mount, name, "1")
        writer.go_on()
        _wait_for_a_second_file(folder)
        time.sleep(random.Random(seed).uniform(0, 0.005))
        assert writer.end(signal.SIGKILL) == -signal.SIGKILL
    campaign.settle()
    assert _saves(campaign, name)[:1] == [1.0]
    assert set(_saves(campaign, name)) <= {1.0, 2.0}


def _wait_for_a_second_file(folder: Path) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while len(os.listdir(folder)) < 2:  # without a pause: a save is short
        assert time.monotonic() < give_up, "nobody saves there"
