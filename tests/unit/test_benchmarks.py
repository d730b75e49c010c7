"""The figures of a benchmark: medians, ratios that always mean "times as good", and targets judged by them."""

from __future__ import annotations

import pytest
from benchmarks.report import Measure, Results, Target

SPEED = Measure("speed", "reading", "MiB/s")
TIME = Measure("time", "listing", "s", better="lower")


@pytest.fixture
def results() -> Results:
    """Three runs each, one of them odd: ours reads at half the speed and lists in a quarter of the time."""
    results = Results((SPEED, TIME), {"ours": "ours 1.0", "native": "native"}, reference="native")
    for speed, time in ((100, 0.5), (9_000, 0.1), (90, 0.5)):
        results.add("ours", "speed", speed)
        results.add("ours", "time", time)
    for speed, time in ((200, 2.0), (1, 40.0), (300, 2.0)):
        results.add("native", "speed", speed)
        results.add("native", "time", time)
    return results


def test_one_odd_run_does_not_move_the_median(results: Results) -> None:
    assert results.median("ours", "speed") == 100
    assert results.median("native", "time") == 2.0


def test_a_ratio_above_one_is_better_whichever_way_the_unit_goes(results: Results) -> None:
    assert results.ratio(SPEED, "ours", "native") == 0.5
    assert results.ratio(TIME, "ours", "native") == 4.0


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("ours", "speed", 100), True),
        (Target("ours", "speed", 101), False),
        (Target("ours", "time", 0.5), True),
        (Target("ours", "time", 0.49), False),
        (Target("ours", "speed", 0.5, reference="native"), True),
        (Target("ours", "speed", 0.51, reference="native"), False),
        (Target("ours", "time", 0.5, not_judged="another machine"), None),
        (Target("theirs", "speed", 100), None),
        (Target("theirs", "speed", 0.5, reference="native"), None),
    ],
)
def test_a_target_is_met_at_its_bound_and_not_judged_without_a_figure(
    results: Results, target: Target, met: bool | None
) -> None:
    assert results.judge(target).met is met
