"""Saves, registers, removes or prunes versions, or collects garbage, and is killed at random points of it. Run as a
program by the fault tests.

    library_and_die.py WORK KILLS SEED

Each piece of work is done by a process of its own, forked here after everything was imported, which first makes what it
works on. It is killed before or after one of the function calls that the work consists of, chosen at random. Work that
ended was acknowledged: it is told on standard output.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from artfs import register_artifact, save_artifact
from artfs.artifacts.tombstones import make_tombstones
from artfs.client import Client
from support.forks import calls_counted, forked, was_killed


def value(number: int) -> Any:
    """What is saved: now of one file, now of several, with and without a visualization of its own."""
    array = np.full(200, number)
    return array if number % 3 == 0 else {"number": number, "array": array, "same": b"the same in all versions"}


def save(number: int) -> str:
    return str(save_artifact(value(number), name=f"saved {number}", tags=["new"], metadata={"number": number}).id)


def register(number: int) -> str:
    return str(register_artifact(Path(os.environ["ARTFS_HOME"]).parent / "data", name=f"registered {number}").id)


def remove(number: int) -> str:
    version = Client().get_artifact_version(f"saved {number}")
    Client().delete_artifact_version(version.id)
    return str(version.id)


def save_three(number: int) -> None:
    for version in range(3):
        save_artifact([value(number), version], name=f"pruned {number}", metadata={"number": number})


def prune(number: int) -> str:
    return ",".join(Client().prune_artifacts(artifacts=[f"pruned {number}"]).versions)


def leave_garbage(number: int) -> None:
    """A version that stays, one whose bytes nobody removed yet, and one that never came to be."""
    workspace = Client().workspace
    save(number)
    gone = save_artifact(value(number + 1000), name="gone")
    make_tombstones(workspace, [gone.row], "killed")
    directory = f"never/{uuid4().hex}".encode()
    with workspace.stores.active.claim(directory):
        path = Path(workspace.stores.active.place_path(directory))
        (path / "file").write_bytes(b"half")
        os.utime(path, (0, 0))


def gc(number: int) -> str:
    return str(Client().collect_garbage().files)


WORK: dict[str, Callable[[int], str]] = {"save": save, "register": register, "remove": remove, "prune": prune, "gc": gc}
BEFORE: dict[str, Callable[[int], object]] = {"prune": save_three, "gc": leave_garbage}


def main(work: str, kills: int, seed: int) -> None:
    """Do the work once to learn how many calls it has, then again and again with a kill in it."""
    chance = random.Random(seed)
    told, _ = _in_child(work, 0, None)
    calls = told["calls"]
    killed = 0
    print(json.dumps({"number": 0, "id": told["id"]}))
    for number in range(1, kills + 1):
        told, died = _in_child(work, number, chance.randrange(calls))
        killed += died
        if told:
            print(json.dumps({"number": number, "id": told["id"]}))
    print(json.dumps({"killed": killed}))


def _in_child(work: str, number: int, deadly: int | None) -> tuple[dict[str, Any], bool]:
    """Return what the child told, nothing if it died before, and whether it was killed."""
    reading, writing = os.pipe()
    child = forked(lambda: _work(work, number, deadly, writing))
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    return json.loads(told) if told else {}, was_killed(child)


def _work(work: str, number: int, deadly: int | None, writing: int) -> None:
    Client().list_artifacts()  # opens the catalog, which is no part of the work
    if work in BEFORE:
        BEFORE[work](number)
    with calls_counted(deadly) as calls:
        done = WORK[work](number)
    os.write(writing, json.dumps({"id": done, "calls": calls()}).encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
