"""Brings what is owed to stores, in several processes at once that are killed at random points. Run by the fault tests.

    transfer_and_die.py VERSIONS PROCESSES SEED

First versions are owed: uploads to the store `bucket`, and copies to the store `other`. Then, round by round, so many
processes work on all that is owed, and each is killed before or after a random one of its function calls, until a round
finds nothing to do. What they do is told on standard output, a line each: the round, the process, the row, and whether
it has begun with it or put a content of it.
"""

from __future__ import annotations

import json
import os
import random
import sys
from functools import partial
from typing import Any

from artfs.transfers import delivery
from artfs.transfers.pending import owe_copy
from artfs.workspace.workspace import Workspace
from support import stores  # noqa: F401 - so that its flavours are known
from support.forks import calls_counted, forked, was_killed
from support.transfers import landed

MOST_CALLS = 60_000
"""Some times as many as it takes to bring one version."""


def contents(number: int) -> dict[bytes, bytes]:
    """What is in a version: some files of its own, one that all have, and one that a neighbour has too."""
    own = {b"own/%d" % each: b"%d of %d" % (each, number) for each in range(4)}
    return {**own, b"same": b"in all", b"pair": b"%d" % (number // 2)}


def owe(versions: int) -> None:
    with Workspace.open() as workspace:
        bucket, other = workspace.stores.by_name("bucket"), workspace.stores.by_name("other")
        assert other.id is not None
        for number in range(versions):
            version = landed(workspace, bucket, contents(number), f"made {number}")
            if number % 2:
                owe_copy(workspace.catalog, version, other.id)


def main(versions: int, processes: int, seed: int) -> None:
    chance = random.Random(seed)
    owe(versions)
    killed = rounds = 0
    while _is_owed():
        rounds += 1
        # From time to time one is left alone, so that it comes to an end.
        deadly = [chance.randrange(MOST_CALLS) for _ in range(processes)]
        children = [forked(partial(_work, rounds, calls)) for calls in deadly]
        killed += sum([was_killed(child) for child in children])
    print(json.dumps({"killed": killed, "rounds": rounds}))


def _is_owed() -> bool:
    with Workspace.open() as workspace:
        return workspace.catalog.pending.list() != []


def _work(round_: int, deadly: int) -> None:
    delivery.BATCH_FILES = 2
    put, run = delivery.put, delivery.Delivery.run  # type: ignore[attr-defined]
    row = 0

    def tell(what: str) -> None:
        os.write(1, json.dumps([round_, os.getpid(), row, what]).encode() + b"\n")

    def told_run(self: delivery.Delivery) -> None:
        nonlocal row
        row = self._row.id
        tell("begins")
        run(self)

    def told_put(*arguments: Any) -> None:
        tell("puts")
        put(*arguments)

    delivery.put, delivery.Delivery.run = told_put, told_run  # type: ignore[attr-defined, assignment, method-assign]
    with Workspace.open() as workspace:
        workspace.stores.by_name("bucket").files.exists("anything")  # imports and opens, which is no part of the work
        with calls_counted(deadly):
            workspace.transfers.work()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
