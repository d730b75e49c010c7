"""What is known of each thing in a draft, where each becomes a version of its own."""

from __future__ import annotations

import math

from artfs_mount.incoming.complete.history import DraftHistory
from artfs_mount.incoming.complete.paths import below_of, is_at


def history_below(history: DraftHistory, child: bytes) -> DraftHistory:
    """What is known of something in a directory, as if it were a draft."""
    found = DraftHistory()
    found.paths = {below_of(child, path): facts for path, facts in history.paths.items() if is_at(path, child)}
    found.handles = {
        number: handle._replace(path=below_of(child, handle.path))
        for number, handle in history.handles.items()
        if is_at(handle.path, child)
    }
    found.units = {below_of(child, path): unit for path, unit in history.units.items() if is_at(path, child)}
    found.pinned = {below_of(child, path): pin for path, pin in history.pinned.items() if is_at(path, child)}
    found.newest = {
        (below_of(child, above), series): below_of(child, path)
        for (above, series), path in history.newest.items()
        if is_at(above, child)
    }
    found.changed_at = max((facts.changed_at for facts in found.paths.values()), default=-math.inf)
    found.marked = {(below_of(child, above), series) for above, series in history.marked if is_at(above, child)}
    found.writers, found.endings, found.ended_at = history.writers, history.endings, history.ended_at
    return found
