"""Makes versions in a home until it is killed, or kills itself at a chosen point. Run as a program by the crash tests.

    seal_and_die.py HOME SOURCES [POINT COUNT]

POINT is a function in the way of every version, COUNT which call of it is never completed (`-` before it: never begun).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artfs.artifacts import seal
from artfs.artifacts.measure import measure
from artfs.catalog.versions import Versions
from artfs.content import files
from artfs.stores.local import LocalStore
from artfs.workspace import Workspace

POINTS: dict[str, tuple[Any, str]] = {
    "link": (files, "link_or_copy"),
    "copy": (files, "clone_or_copy"),
    "place": (LocalStore, "place"),
    "sync": (LocalStore, "sync"),
    "create": (Versions, "create"),
}


def main(home: Path, sources: Path, point: str | None = None, count: str = "1") -> None:
    """Make one version after the other; each is told on standard output once it exists."""
    if point is not None:
        _die_at(point, int(count.lstrip("-")), before=count.startswith("-"))
    sources.mkdir(exist_ok=True)
    with Workspace.open(home) as workspace:
        number = 0
        while True:
            source = sources / f"{os.getpid()}-{number}"
            _write(source, f"{os.getpid()} {number}")
            version = seal.seal(measure(source), workspace, "iris", adopt=number % 2 == 0)
            print(version.uuid, flush=True)
            number += 1


def _write(source: Path, content: str) -> None:
    (source / "deep").mkdir(parents=True)
    (source / "same").write_text("the same in all versions")
    for name in ("a", "deep/b", "deep/c"):
        (source / name).write_text(f"{name} of {content}\n" * 500)


def _die_at(point: str, count: int, *, before: bool) -> None:
    owner, name = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **named)
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
