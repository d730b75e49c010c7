"""What the library and the daemon must agree on about runs that they both record."""

from __future__ import annotations

import os
from collections.abc import Sequence

RUN_VARIABLE = "ARTFS_RUN"
"""Names, to the daemons, the run that a process belongs to; `artfs exec` sets it."""


def title(command: Sequence[str]) -> str:
    """What to call a run that nobody has named: the script, or the program.

    >>> title(["/usr/bin/python3", "-u", "/home/me/train.py", "--epochs=3"])
    'train.py'
    """
    if "-c" in command[1:2]:
        command = command[:1]  # what follows is a program itself, and no name
    words = [os.path.basename(word) for word in command if word and not word.startswith("-")]
    if not words:
        return "unknown"
    is_interpreter = words[0].startswith(("python", "bash", "sh", "perl", "Rscript", "node", "julia"))
    return words[1] if is_interpreter and len(words) > 1 else words[0]
