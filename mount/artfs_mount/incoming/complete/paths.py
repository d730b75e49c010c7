"""Paths in a draft, as bytes: empty for the draft itself."""

from __future__ import annotations

from collections.abc import Collection


def is_at(path: bytes, place: bytes) -> bool:
    """Whether a path is a place or below it."""
    return not place or path == place or path.startswith(place + b"/")


def is_at_any(path: bytes, places: Collection[bytes]) -> bool:
    """Whether a path is one of these places or below one."""
    if not places:
        return False
    while path not in places:
        if not path:
            return False
        path = parent(path)
    return True


def parent(path: bytes) -> bytes:
    """The directory that a path is in; empty for the draft itself."""
    return path.rpartition(b"/")[0]


def name_of(path: bytes) -> bytes:
    """Its own name, without those of the directories that it is in; empty for the draft itself."""
    return path.rpartition(b"/")[2]


def below_of(path: bytes, other: bytes) -> bytes:
    """A path, from another one that it is at or below."""
    return other[len(path) + 1 :] if path else other


def joined(path: bytes, below: bytes) -> bytes:
    """A path below another one, either of which may be empty."""
    return b"/".join(filter(None, (path, below)))
