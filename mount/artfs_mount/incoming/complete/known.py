"""What is known of a draft when somebody asks whether it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.history import DraftHistory
from artfs_mount.incoming.complete.process import Process


@dataclass(frozen=True)
class Facts:
    """What is known of a draft at one moment.

    now: of the clock of its history. held: why it must not seal by itself. aside: why it is no artifact as it is.
    ended: its writers have. stopped: one of them is, by a signal, and may go on. finish: somebody waits for it in
    `artfs sync`, and the processes that wrote it have ended, or wait themselves. waits_for_itself: so
    does one that has not ended, and can close no file before it has the answer. ended_well: its writers have, each
    with status 0, and so has whatever had started them. children: what lies directly in the draft and has changed, if
    each of it becomes a version of its own. world_size: of how many processes that write together they are.
    failed: the writers that a signal ended, or that ended with a status other than 0.
    """

    name: str
    kind: DraftKind
    now: float
    history: DraftHistory
    held: str | None = None
    aside: str | None = None
    ended: bool = True
    ended_well: bool = False
    stopped: bool = False
    finish: bool = False
    waits_for_itself: bool = False
    children: Mapping[bytes, DraftKind] | None = None
    world_size: int | None = None
    failed: frozenset[Process] = frozenset()
