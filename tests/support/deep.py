"""Directories deeper than a path can say: made, read and compared by stepping into them, as a program has to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATH_MAX = 4096
NAME = "n" * 60
LEVELS = 300
"""As many of such names are longer than four times PATH_MAX."""


@contextmanager
def inside(top: Path, levels: int = 0, name: str = NAME) -> Iterator[None]:
    """Stands in a directory so many levels below `top`."""
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(top)
        for _ in range(levels):
            os.chdir(name)
        yield
    finally:
        os.fchdir(here)
        os.close(here)


def dig(top: Path, levels: int = LEVELS, name: str = NAME, *, every: int = 100) -> None:
    """Makes directories one in the other, with a file in every hundredth and a file, a link and an odd name at last."""
    with inside(top):
        for level in range(1, levels + 1):
            os.mkdir(name)
            os.chdir(name)
            if level % every == 0:
                Path("file").write_bytes(b"level %d" % level)
        Path("bottom").write_bytes(b"at the bottom")
        os.link("bottom", "also bottom")
        os.symlink("bottom", "link")
        Path(os.fsdecode(b"odd \xff\n" + b"x" * 249)).write_bytes(b"an odd name")


def picture(top: Path) -> dict[tuple[int, bytes], bytes | None]:
    """What is in directories one in the other: (level, name) to content, None for a directory."""
    found: dict[tuple[int, bytes], bytes | None] = {}
    with inside(top):
        level = 0
        while True:
            below = None
            for name in os.listdir(b"."):
                if os.path.islink(name):
                    found[level, name] = b"-> " + os.readlink(name)
                elif os.path.isdir(name):
                    found[level, name], below = None, name
                else:
                    found[level, name] = Path(os.fsdecode(name)).read_bytes()
            if below is None:
                return found
            os.chdir(below)
            level += 1
