"""Hugging Face's Trainer itself, which keeps two checkpoints and removes the others."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support.campaign import Campaign
from support.real import RealWriter, folders, writing

torch: Any = pytest.importorskip("torch")
safetensors: Any = pytest.importorskip("safetensors.torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

SAVES = 6
REST_SECONDS = 0.6
"""Between two saves: shorter than a folder has to be quiet."""
FILES = {
    *("model.safetensors", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"),
}


def _checkpoints(campaign: Campaign, name: str) -> set[int]:
    """The checkpoints in all versions. Fails for one that is not whole."""
    found = set()
    for version in folders(campaign.mount, name):
        for checkpoint in version.glob("*checkpoint-*"):
            found.add(_whole(checkpoint))
        assert list(version.iterdir())
    return found


def _whole(checkpoint: Path) -> int:
    """The step of a checkpoint that its libraries load."""
    assert {path.name for path in checkpoint.iterdir()} == FILES
    assert safetensors.load_file(checkpoint / "model.safetensors")["weight"].shape == (1000,)
    assert torch.load(checkpoint / "optimizer.pt")["param_groups"]
    step = json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    assert checkpoint.name == f"checkpoint-{step}"
    return int(step)


def _train(writer: RealWriter, saves: int) -> None:
    """Lets it make so many saves, resting between them for less than a folder has to be quiet."""
    for _ in range(saves):
        assert writer.until_saved()
        time.sleep(REST_SECONDS)
        writer.go_on()


def test_every_checkpoint_is_in_a_version(campaign: Campaign) -> None:
    name = "real-trainer"
    with writing("trainer", campaign.mount.incoming / name, SAVES) as writer:
        _train(writer, SAVES)
        assert writer.end() == 0
    campaign.settle()
    assert len(list((campaign.mount.incoming / name).glob("checkpoint-*"))) == 2
    assert _checkpoints(campaign, name) == set(range(1, SAVES + 1))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_a_training_has_finished_when_a_signal_ends_it(campaign: Campaign, number: int) -> None:
    name = f"real-trainer-ended-{int(number)}"
    with writing("trainer", campaign.mount.incoming / name, SAVES) as writer:
        _train(writer, 4)
        time.sleep(0.02)  # in the middle of the next save
        assert writer.end(number) != 0
    campaign.settle()
    assert _checkpoints(campaign, name) >= set(writer.finished)
