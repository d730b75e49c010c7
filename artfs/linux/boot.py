"""Boots of the machine: what was not synced before one may be lost after it."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def current_boot() -> str | None:
    """Return the id that Linux gives to each boot of the machine; None where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
