"""Makes versions in a home until it is killed, or kills itself at a chosen point. Run as a program by the crash tests.

    seal_and_die.py HOME SOURCES [STAGE COUNT]

STAGE is where it kills itself, when it comes there for the COUNT-th time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from artfs.artifacts.scan import scan
from artfs.workspace.workspace import Workspace
from support.stages import killed_at
from support.versions import seal as sealed


def main(home: Path, sources: Path, stage: str | None = None, count: str = "1") -> None:
    """Make one version after the other; each is told on standard output once it exists."""
    if stage is not None:
        killed_at(stage, int(count))
    sources.mkdir(exist_ok=True)
    with Workspace.open(home) as workspace:
        number = 0
        while True:
            source = sources / f"{os.getpid()}-{number}"
            _write(source, f"{os.getpid()} {number}")
            version = sealed(scan(source), workspace, "iris", adopt=number % 2 == 0)
            print(version.uuid, flush=True)
            number += 1


def _write(source: Path, content: str) -> None:
    (source / "deep").mkdir(parents=True)
    (source / "same").write_text("the same in all versions")
    for name in ("a", "deep/b", "deep/c"):
        (source / name).write_text(f"{name} of {content}\n" * 500)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
