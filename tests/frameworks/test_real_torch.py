"""torch.save itself: what it has finished is a version, and what it has not is none."""

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
from support.real import folders, writing

torch: Any = pytest.importorskip("torch")

KILLS = 3


def _saves(campaign: Campaign, name: str) -> list[float]:
    """The save that each version is. Fails for one that the library does not load, or that is of two saves."""
    found = []
    for version in folders(campaign.mount, name):
        [weight] = torch.unique(torch.load(version / name)["w"]).tolist()
        found.append(weight)
    return found


def _draft(campaign: Campaign, name: str) -> Path:
    return campaign.mount.incoming / name


def test_a_save_that_fails_in_the_middle_is_no_version(campaign: Campaign) -> None:
    """It was saved over a good one, which stays one."""
    name = "real-failing.pt"
    with writing("torch", _draft(campaign, name), 1) as writer:
        assert writer.until_saved()
        wait_for_version(campaign.mount, name, "1")
        writer.go_on()
        assert writer.end() == 1
    campaign.settle()
    assert _saves(campaign, name) == [1.0]


def test_a_save_that_is_stopped_in_the_middle_is_none_until_it_is_finished(campaign: Campaign) -> None:
    """It is stopped for longer than a file has to be quiet."""
    name = "real-stopped.pt"
    with writing("torch", _draft(campaign, name), 20) as writer:
        for _ in range(20):
            assert writer.until_saved()
            writer.go_on()
            time.sleep(0.001)  # somewhere in the next save
            writer.process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            writer.process.send_signal(signal.SIGCONT)
        writer.end()
    campaign.settle()
    assert set(_saves(campaign, name)) <= set(map(float, range(1, 21)))


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_save_that_is_killed_in_the_middle_is_no_version(campaign: Campaign, seed: int) -> None:
    """And the save before it is one."""
    name = f"real-killed-{seed}.pt"
    with writing("torch", _draft(campaign, name), 50) as writer:
        assert writer.until_saved()
        wait_for_version(campaign.mount, name, "1")
        writer.go_on()
        _wait_until_it_is_shorter(_draft(campaign, name))
        time.sleep(random.Random(seed).uniform(0, 0.01))
        assert writer.end(signal.SIGKILL) == -signal.SIGKILL
    campaign.settle()
    assert _saves(campaign, name)[:1] == [1.0]
    assert set(_saves(campaign, name)) <= {1.0, 2.0}


def _wait_until_it_is_shorter(path: Path) -> None:
    """Waits until somebody began to write over a file."""
    whole = os.stat(path).st_size
    give_up = time.monotonic() + 30
    while os.stat(path).st_size == whole:  # without a pause: a save is short
        assert time.monotonic() < give_up, "nobody writes over it"
