"""Frameworks that pause, fail or are killed in the middle of a save: no half version, and no finished save is lost."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.all_patterns import MAY_BE_HALF, MAY_BE_HELD, PATTERNS
from support.campaign import SETTINGS, Campaign, Outcome, What, campaigning, each_step
from support.patterns import Pattern

MISHAPS: dict[What, int] = {"nothing": 1, "pause": 1, "kill": 1, "fail": 2, "catch": 4}
"""What happens before every so many steps."""
A_MOUNT = 250
"""So many writers have a mount of their own."""
MOUNTS_AT_ONCE = 2

Outcomes = dict[tuple[str, What], list[Outcome]]

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # the first test waits for the writers of all


@pytest.fixture(scope="module")
def outcomes(campaign: Campaign) -> Outcomes:
    """What became of all of them, by pattern and by what happened."""
    cases: list[tuple[Pattern, What, int]] = [(pattern, "nothing", len(pattern.steps)) for pattern in PATTERNS.values()]
    for what, every in MISHAPS.items():
        if what != "nothing":
            cases += each_step(PATTERNS.values(), what, every)
    random.Random(0).shuffle(cases)  # so that some wait while others write
    parts = [cases[first : first + A_MOUNT] for first in range(0, len(cases), A_MOUNT)]

    def run(part: list[tuple[Pattern, What, int]]) -> list[Outcome]:
        with campaigning(SETTINGS, campaign.contents) as own:
            return own.run([own.case(*case) for case in part])

    sorted_out = defaultdict(list)
    with ThreadPoolExecutor(MOUNTS_AT_ONCE) as pool:
        for outcome in itertools.chain.from_iterable(pool.map(run, parts)):
            sorted_out[outcome.case.pattern.name, outcome.case.what].append(outcome)
    return dict(sorted_out)


@pytest.mark.parametrize("what", MISHAPS)
@pytest.mark.parametrize("name", PATTERNS)
def test_no_version_is_half(outcomes: Outcomes, name: str, what: What) -> None:
    if what in MAY_BE_HALF.get(name, ()):
        pytest.skip("nothing says when it is finished, and so its versions may be half")
    half = [fault for outcome in outcomes[name, what] for fault in outcome.half]
    assert not half, _told(half)


@pytest.mark.parametrize("what", MISHAPS)
@pytest.mark.parametrize("name", PATTERNS)
def test_every_finished_save_is_in_a_version(outcomes: Outcomes, name: str, what: What) -> None:
    lost = [fault for outcome in outcomes[name, what] for fault in outcome.lost]
    assert not lost, _told(lost)


@pytest.mark.parametrize("name", PATTERNS)
def test_writers_do_what_happened_to_them(outcomes: Outcomes, name: str) -> None:
    """So that no test above looks at saves that nobody made."""
    saves = tuple(save.name for save in PATTERNS[name].saves)
    [well] = outcomes[name, "nothing"]
    assert (well.code, well.finished) == (0, saves)
    assert {(outcome.code, outcome.finished) for outcome in outcomes[name, "pause"]} == {(0, saves)}
    assert {outcome.code for outcome in outcomes[name, "kill"]} == {-9}
    assert {outcome.code for outcome in outcomes[name, "fail"]} == {1}
    assert {outcome.code for outcome in outcomes[name, "catch"]} == {0}


def test_what_may_be_half_is_said_of_patterns_without_a_signal() -> None:
    """A pause makes nobody's half: its writer lives."""
    assert {name for name in MAY_BE_HALF if name not in PATTERNS} == set()
    assert {name for name, pattern in PATTERNS.items() if pattern.signal is None} <= set(MAY_BE_HALF)
    assert not any({"pause", "nothing"} & mishaps for mishaps in MAY_BE_HALF.values())
    assert set(MAY_BE_HELD) <= set(PATTERNS)


def _told(faults: list[str]) -> str:
    return f"{len(faults)} of them:\n" + "\n".join(faults[:12])
