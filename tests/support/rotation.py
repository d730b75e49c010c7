"""Frameworks that something happens to at random: writers that fail or are killed, trainings that keep two checkpoints
and end by a signal.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from support import replay
from support.all_patterns import MAY_BE_HALF, PATTERNS
from support.campaign import Campaign, Case, Outcome, What
from support.folder_patterns import trainer

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
TRAININGS_AT_ONCE = 5
LAST_SAVE_SECONDS = 5.0
"""So long after its end the last save of a training is a version."""


@dataclass(frozen=True)
class Rotated:
    """What became of a training. seconds: from its end until its last finished save was in a version."""

    outcome: Outcome
    seconds: float


def random_cases(campaign: Campaign, chance: random.Random, what: What, count: int) -> Iterator[Case]:
    """So many writers with a signal, to which something happens before a random step."""
    patterns = [pattern for name, pattern in PATTERNS.items() if what not in MAY_BE_HALF.get(name, ())]
    for _ in range(count):
        pattern = chance.choice(patterns)
        yield campaign.case(pattern, what, chance.choice(pattern.probed))


def trainings(campaign: Campaign, chance: random.Random, count: int, saves: int, rest: float) -> list[Rotated]:
    """Trainings that save every so many seconds beside an open log, until they are ended at a random moment."""
    seeds = [chance.randrange(2**32) for _ in range(count)]
    with ThreadPoolExecutor(TRAININGS_AT_ONCE) as pool:
        ended = list(pool.map(lambda seed: _train(campaign, random.Random(seed), saves, rest), seeds))
    states, artifacts, contents = campaign.settle(), campaign.artifacts(), campaign.read_contents()
    rotated = []
    for case, code, finished, seconds in ended:
        verdict = campaign.judge(case, artifacts[case.unique], contents)
        rotated.append(Rotated(Outcome(case, finished, verdict, code, states.get(case.draft, "gone")), seconds))
    return rotated


def _train(
    campaign: Campaign, chance: random.Random, saves: int, rest: float
) -> tuple[Case, int, tuple[str, ...], float]:
    case = campaign.case(trainer("rotation", log=True, count=saves, seconds=rest))
    with replay.start(campaign.job(case.draft, case.unique, case.steps)) as training:
        time.sleep(chance.uniform(rest / 2, saves * rest))  # whatever it is doing then
        training.send_signal(chance.choice(SIGNALS))
        said, _ = training.communicate()
    ended = time.monotonic()
    finished = replay.finished(said)
    while finished and time.monotonic() - ended < 4 * LAST_SAVE_SECONDS:
        if finished[-1] in campaign.judge(case, [case.draft], campaign.read_contents()).whole:
            break
        time.sleep(0.1)
    return case, training.returncode, finished, time.monotonic() - ended
