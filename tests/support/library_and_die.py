"""Saves, registers or removes versions, and is killed at random points of it. Run as a program by the fault tests.

    library_and_die.py WORK KILLS SEED

Each piece of work is done by a process of its own, forked here after everything was imported. It is killed before or
after one of the function calls that the work consists of, chosen at random. Work that ended was acknowledged: it is
told on standard output.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from artfs import register_artifact, save_artifact
from artfs.client import Client


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


WORK: dict[str, Callable[[int], str]] = {"save": save, "register": register, "remove": remove}


def main(work: str, kills: int, seed: int) -> None:
    """Do the work once to learn how many calls it has, then again and again with a kill in it."""
    chance = random.Random(seed)
    told, _ = _in_child(WORK[work], 0, None)
    calls = told["calls"]
    killed = 0
    print(json.dumps({"number": 0, "id": told["id"]}))
    for number in range(1, kills + 1):
        told, status = _in_child(WORK[work], number, chance.randrange(calls))
        killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if told:
            print(json.dumps({"number": number, "id": told["id"]}))
    print(json.dumps({"killed": killed}))


def _in_child(work: Callable[[int], str], number: int, deadly: int | None) -> tuple[dict[str, Any], int]:
    """Return what the child told, nothing if it died before, and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(work, number, deadly, writing)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    return json.loads(told) if told else {}, os.waitpid(child, 0)[1]


def _work(work: Callable[[int], str], number: int, deadly: int | None, writing: int) -> None:
    Client().list_artifacts()  # opens the catalog, which is no part of the work
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1

    sys.setprofile(count)
    try:
        done = work(number)
    finally:
        sys.setprofile(None)
    os.write(writing, json.dumps({"id": done, "calls": calls}).encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
