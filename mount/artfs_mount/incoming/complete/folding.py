"""How the facts of a draft with very many files are bounded.

Those are kept that changed last; others are folded into the directory that they are in, which goes on telling when
anything below it changed, and whether a write failed or a writer was killed there.
"""

from __future__ import annotations

import heapq
from collections.abc import Container

from artfs_mount.incoming.complete.facts import PathFacts
from artfs_mount.incoming.complete.markers import is_marker
from artfs_mount.incoming.complete.paths import parent

PATHS_KEPT = 1024
FOLDED_AT_ONCE = 256


def make_room(paths: dict[bytes, PathFacts], opened: Container[bytes]) -> None:
    """Folds what changed longest ago first, then folders that tell of others, then what decides most.

    opened: the paths of which files are open.
    """

    def order(path: bytes) -> tuple[bool, bool, float]:
        facts = paths[path]
        return is_marker(path) or path in opened, facts.folded > 0, facts.changed_at

    while (excess := len(paths) - (PATHS_KEPT - FOLDED_AT_ONCE)) > 0:
        for path in heapq.nsmallest(excess, filter(None, paths), key=order):
            facts = paths.pop(path)
            paths.setdefault(parent(path), PathFacts()).fold(facts)
