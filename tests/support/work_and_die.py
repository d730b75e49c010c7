"""Makes versions in one of the library's ways, and is killed at a stage. Run as a program by the fault tests.

    python -m support.work_and_die WORK STAGE COUNT

What was acknowledged is told on standard output: the uuid of each version.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from artfs import pipeline, register_artifact, save_artifact, step
from artfs.client import Client
from support.stages import killed_at

SMALL, LARGE = b"small", bytes(50_000)


@step
def make_three() -> tuple[bytes, np.ndarray, bytes]:
    return LARGE, np.full((20, 20, 3), 7, dtype="uint8"), SMALL


@pipeline
def training() -> None:
    make_three()


def save(content: bytes) -> Iterator[str]:
    for number in range(3):
        yield str(save_artifact([content, number], "saved").id)


def save_pictures() -> Iterator[str]:
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (200, 200, 3), dtype="uint8")
        yield str(save_artifact(picture, "saved").id)


def run_pipeline() -> Iterator[str]:
    training()
    yield from (str(version.id) for version in Client().list_artifact_versions())


def register() -> Iterator[str]:
    data = Path(os.environ["ARTFS_HOME"]).parent / "data"
    data.mkdir(exist_ok=True)
    for number in range(1002):  # so many that the manifest does not wait
        (data / str(number)).write_text(str(number))
    yield str(register_artifact(data, "registered").id)


def sync() -> Iterator[str]:
    yield from save(SMALL)
    Client().workspace.syncing.sync()


WORK: dict[str, Callable[[], Iterator[str]]] = {
    "small": lambda: save(SMALL),
    "large": lambda: save(LARGE),
    "pictures": save_pictures,
    "step": run_pipeline,
    "register": register,
    "sync": sync,
}


def main(work: str, stage: str, count: str) -> None:
    Client().list_artifacts()  # opens the catalog, which is no part of the work
    killed_at(stage, int(count))
    for uuid in WORK[work]():
        print(uuid, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
