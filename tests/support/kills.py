"""Work of the library that is killed at random points, again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support import library_and_die

KILLS = 100


def let_it_be_old(home: Path) -> None:
    """Let what killed processes left be so old that it is garbage."""
    for folder in (*home.glob("store/*/*"), *home.glob("cache/*/*")):
        os.utime(folder, (0, 0))


def killed_while(work: str, seed: int) -> dict[int, str]:
    """Do work that is killed `KILLS` times; returns the ids that were acknowledged, by number."""
    program = [sys.executable, library_and_die.__file__ or "", work, str(KILLS), str(seed)]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(program, capture_output=True, text=True, timeout=240, check=True, env=paths)
    *acknowledged, last = map(json.loads, done.stdout.splitlines())
    assert last["killed"] > KILLS * 0.9
    return {told["number"]: told["id"] for told in acknowledged}
