"""Files of which each process of a distributed program (each rank) writes its own, and which of them are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PER_RANK = (
    (re.compile(rb"__(\d+)_\d+\.distcp"), b"__%d_*.distcp"),  # torch.distributed.checkpoint
    (re.compile(rb"rng_state_(\d+)\.pth"), b"rng_state_%d.pth"),  # Hugging Face Trainer
    (re.compile(rb"random_states_(\d+)\.pkl"), b"random_states_%d.pkl"),  # Accelerate
)


def ranks_missing(names: Iterable[bytes], world_size: int | None) -> list[bytes]:
    """What ranks have not written yet, as names or patterns, by the names in one directory.

    Only of kinds of which a rank has written one. A hint and no proof: the number may be meant for another program.

    >>> ranks_missing([b"rng_state_0.pth", b"rng_state_2.pth", b"model.safetensors"], 3)
    [b'rng_state_1.pth']
    """
    if world_size is None or world_size < 2:
        return []
    names = list(names)
    missing = []
    for pattern, name in _PER_RANK:
        there = {int(match[1]) for match in map(pattern.fullmatch, names) if match is not None}
        if there:
            missing += [name % rank for rank in range(world_size) if rank not in there]
    return missing
