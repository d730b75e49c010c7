"""Which processes a daemon has descriptors of."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

ENDED = -1


def watched_by(daemon: int) -> list[int]:
    """The numbers of the processes; ENDED for one that has ended and for which its parent has waited."""
    found = []
    for entry in Path("/proc", str(daemon), "fdinfo").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            match = re.search(r"^Pid:\t(-?\d+)$", entry.read_text("ascii"), re.MULTILINE)
            if match is not None:
                found.append(int(match[1]))
    return found
