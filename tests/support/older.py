"""Homes that earlier releases made: a few versions, a purged one, two runs, a store and a stack.

`home_1` is of the last release with schema 1, `home_2` of that with schema 2. They were made by running those releases;
afterwards only the paths of the machine that did were replaced.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

HOMES = Path(__file__).parents[1] / "homes"
SCHEMAS = (1, 2)


def older_home(schema: int, target: Path) -> Path:
    """Unpack the home of a release with that schema into a folder, and return where it is."""
    subprocess.run(["tar", "-xJf", HOMES / f"home_{schema}.tar.xz", "-C", target], check=True)
    return target / f"home_{schema}"
