"""What tells that a save was interrupted although every file of it is closed and looks whole."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from artfs_mount.incoming.complete.facts import PathFacts
from artfs_mount.incoming.complete.history import DraftHistory, is_stream_so_far
from artfs_mount.incoming.complete.markers import MARKERS
from artfs_mount.incoming.complete.names import numbered
from artfs_mount.incoming.complete.paths import name_of, parent
from artfs_mount.incoming.complete.process import Process
from artfs_mount.incoming.complete.units import Unit

_TEMPORARY = re.compile(rb"\.tmp\w*$")


def why_not_whole_beside(path: bytes, facts: PathFacts, failed: Collection[Process]) -> str | None:
    """Why a temporary file that nobody writes any more says that something around it is not whole; None if it does not.

    failed: writers that a signal ended, or that ended with a status other than 0.
    """
    name = name_of(path)
    marker = _TEMPORARY.sub(b"", name)
    if marker != name and marker in MARKERS:
        return f"{_shown(marker)}, which is written last, has only its temporary name; write it again or remove it"
    if facts.killed is not None or facts.by in failed:
        return f"the program that wrote {_shown(name)} failed before it had its name; save it again or remove it"
    return None


def why_unit_not_whole(unit: Unit, history: DraftHistory, failed: Collection[Process], seconds: float) -> str | None:
    """What says that a unit is not whole, though no file in it does; None if nothing does.

    failed: as above. seconds: who ends so soon after he wrote was in the middle of it.
    """
    facts = unit.facts
    if unit.changed_at == unit.removed_at == -math.inf:
        return None  # a version has it as it is
    if facts.is_rotated or facts.missing:
        return "a program that saves here has begun to remove it"
    if facts.is_stale:
        return "it was written again, and what is written last in it was not"
    own = history.paths.get(unit.path)
    if own is not None and own.closed_at is not None:
        return None  # a file, which tells all itself
    name = name_of(unit.path)
    one = numbered(name)
    if one is not None and not facts.has_marker and (parent(unit.path), one.series) in history.marked:
        return "the file that is written last is missing, which others of its kind have"
    if facts.sign is not None or unit.changed_by not in failed or unit.changed_at == -math.inf:
        return None
    if facts.has_marker:
        return "a program failed while it wrote it again"
    ended_at = history.ended_at.get(unit.changed_by, math.inf) if unit.changed_by is not None else math.inf
    if one is not None and ended_at - unit.changed_at < seconds:
        return "a program failed while it wrote it"
    return None


def why_draft_not_whole(history: DraftHistory, failed: Collection[Process], seconds: float) -> str | None:
    """What says that a program failed in the middle of writing a draft in which nothing completes by itself."""
    last = max(
        (facts for path, facts in history.paths.items() if not is_stream_so_far(path, facts)),
        key=lambda facts: facts.changed_at,
        default=None,
    )
    if last is None or last.by is None or last.by not in failed:
        return None
    if history.ended_at.get(last.by, math.inf) - last.changed_at >= seconds:
        return None
    return "the program that wrote it failed, and not all may be there"


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")
