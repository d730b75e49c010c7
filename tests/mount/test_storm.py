"""A minute of `scripts/storm`: dozens of readers and writers that are killed, and a mount that does not mind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STORM = Path(__file__).parents[2] / "scripts" / "storm"
SEED = 20261127


def test_a_minute_of_storm(fuse_for_everyone: None) -> None:
    done = subprocess.run(
        [sys.executable, STORM, "--minutes", "1", "--seed", str(SEED)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed {SEED}" in done.stdout
    assert "0 restarts\n0 things went wrong" in done.stdout
