"""Markers that come before what they mark: a copy over what is there already brings its files in any order."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from artfs_mount.incoming.complete.facts import PathFacts, Sign, UnitFacts
from artfs_mount.incoming.complete.markers import MARKERS
from artfs_mount.incoming.complete.names import is_stream, is_temporary, step_of
from artfs_mount.incoming.complete.paths import name_of, parent


def came_before(path: bytes, unit: UnitFacts | None, paths: Mapping[bytes, PathFacts]) -> bool:
    """Whether a file that is about to go, or to be written over, is older than the marker of the unit around it.

    A version has it as it is, and the marker is newer than that version: what belongs to the marker is yet to come.
    """
    name = name_of(path)
    return (
        unit is not None
        and unit.sign is Sign.MARKER
        and path not in paths
        and name not in MARKERS
        and not (is_temporary(name) or is_stream(name))
        and not _is_folded(path, paths)
        and not has_later_step(path, paths)
    )


def has_later_step(path: bytes, paths: Collection[bytes]) -> bool:
    """Whether the same file of a later step lies beside a file: what goes then has been rotated."""
    one = step_of(name_of(path))
    if one is None:
        return False
    others = (step_of(name_of(other)) for other in paths if parent(other) == parent(path))
    return any(other is not None and other[0] == one[0] and other[1] > one[1] for other in others)


def _is_folded(path: bytes, paths: Mapping[bytes, PathFacts]) -> bool:
    """Whether it may have changed since, and a directory above it tells so."""
    while path:
        path = parent(path)
        if (above := paths.get(path)) is not None and above.folded:
            return True
    return False
