"""Copies of finished checkpoints: the marker comes whenever it comes, and all the same there is one version, whole."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.campaign import AT_ONCE, Campaign
from support.copying import Copy, by_cp, by_many_cps, by_rsync, by_tar, contents_of, lay, orders
from support.folder_patterns import DATASET_FILES, DISTRIBUTED_FILES, SAVED_MODEL_FILES, TRAINER_FILES
from support.mount import Mount

CHECKPOINTS: dict[str, tuple[Mapping[str, str], Copy]] = {
    "dcp by tar": (DISTRIBUTED_FILES, by_tar),
    "dcp by rsync": (DISTRIBUTED_FILES, by_rsync),
    "dcp by cp": (DISTRIBUTED_FILES, by_cp),
    "dcp by many cps": (DISTRIBUTED_FILES, by_many_cps),
    "dataset by tar": (DATASET_FILES, by_tar),
    "dataset by rsync": (DATASET_FILES, by_rsync),
    "dataset by cp": (DATASET_FILES, by_cp),
    "saved model by tar": (SAVED_MODEL_FILES, by_tar),
    "saved model by rsync": (SAVED_MODEL_FILES, by_rsync),
    "saved model by many cps": (SAVED_MODEL_FILES, by_many_cps),
    "trainer by tar": (TRAINER_FILES, by_tar),
    "trainer by rsync": (TRAINER_FILES, by_rsync),
    "trainer by cp": (TRAINER_FILES, by_cp),
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

_numbers = itertools.count()


class Copies:
    """All copies at once. told: what is wrong, by what was copied how."""

    def __init__(self, campaign: Campaign, folder: Path) -> None:
        self._campaign = campaign
        self.told: dict[str, list[str]] = {name: [] for name in CHECKPOINTS}
        jobs = []
        for name, (files, copy) in CHECKPOINTS.items():
            source = lay(folder / name.replace(" ", "-"), files, campaign.contents)
            for number, order in enumerate(orders(list(files), seed=1)):
                draft = f"x{len(jobs):05d}-{name.replace(' ', '-')}-{number}"
                jobs.append((name, copy, draft, source, order))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda job: job[1](campaign, *job[2:]), jobs))
        states = campaign.settle()
        for name, _, draft, source, order in jobs:
            if wrong := self._wrong(draft, source):
                self.told[name].append(f"{' '.join(order)}: {wrong} ({states[draft]})")

    def _wrong(self, draft: str, source: Path) -> str | None:
        made = self._campaign.mount.artifacts / draft
        versions = sorted(name for name in os.listdir(made) if name.isdigit()) if made.exists() else []
        if versions != ["1"]:
            return f"versions {versions}"
        return None if contents_of(made / "1") == contents_of(source) else "not what was copied"


@pytest.fixture(scope="module")
def copies(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    return Copies(campaign, tmp_path_factory.mktemp("checkpoints"))


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_one_version_in_any_order(copies: Copies, name: str) -> None:
    wrong = copies.told[name]
    assert not wrong, f"{len(wrong)} orders:\n" + "\n".join(wrong[:5])


@pytest.mark.parametrize("command", [["cp", "-r"], ["rsync", "-a"], ["cp", "-a"]], ids=" ".join)
def test_one_version_of_a_whole_copy(
    campaign: Campaign, shared_mount: Mount, tmp_path: Path, command: Sequence[str]
) -> None:
    """The trainer's folder with two checkpoints."""
    source = tmp_path / f"y{next(_numbers)}-{command[0]}{command[1]}"
    for number in (1, 2):
        lay(source / f"checkpoint-{number}", TRAINER_FILES, campaign.contents)
    subprocess.run([*command, source, shared_mount.incoming], check=True)
    campaign.settle()
    made = shared_mount.artifacts / source.name
    assert contents_of(made / "1") == contents_of(source)
    assert not (made / "2").exists()
