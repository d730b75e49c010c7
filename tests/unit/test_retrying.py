"""When what has failed is tried again."""

from __future__ import annotations

import pytest

from artfs.transfers.retrying import FIRST_SECONDS, LONGEST_SECONDS, Clock, pause_seconds


def test_each_failure_doubles_the_wait_up_to_a_limit() -> None:
    waits = [pause_seconds(attempts, 1.0) for attempts in range(1, 100)]
    assert waits[:4] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS, 8 * FIRST_SECONDS]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_SECONDS


@pytest.mark.parametrize("attempts", [1, 5, 10_000])
def test_machines_that_failed_at_once_try_apart(attempts: int) -> None:
    shortest, longest = pause_seconds(attempts, 0.0), pause_seconds(attempts, 1.0)
    assert shortest == longest / 2
    assert shortest < pause_seconds(attempts, 0.3) < longest


def test_the_time_of_the_next_try_is_counted_from_now() -> None:
    assert Clock(lambda: 5_000_000, lambda: 1.0).next_us(2) == 7_000_000
