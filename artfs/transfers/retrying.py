"""When what has failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from artfs.catalog.engine import now_us

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
"""A store may be away for days. After so long at most it is looked for again."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What times and chances are; tests have their own.

    Args:
        now_us: returns the time, in microseconds since 1970 UTC.
        chance: returns a number from 0 to before 1.
    """

    now_us: Callable[[], int] = now_us
    chance: Callable[[], float] = random.random

    def next_us(self, attempts: int) -> int:
        """Return when to try again what has failed so often since it last went on."""
        return self.now_us() + round(pause_seconds(attempts, self.chance()) * 1_000_000)


def pause_seconds(attempts: int, chance: float) -> float:
    """Return how long to wait after so many failures: twice as long each time, up to a limit.

    Args:
        attempts: how many there were, at least 1.
        chance: from 0 to 1. The wait is shortened by up to a half, so that machines that failed at once try apart.
    """
    longest = min(FIRST_SECONDS * 2.0 ** min(attempts - 1, 30), LONGEST_SECONDS)
    return longest * (0.5 + chance / 2)
