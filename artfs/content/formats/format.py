"""What artfs's own checks are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from artfs.content.formats.opened import BoundedFile


class Broken(Exception):
    """The bytes are not those of a whole file; the message is the finding's fault."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that artfs knows.

    Args:
        name: what findings call it.
        recognises: whether a file may be one, from its name in lower case and its first `HEAD` bytes.
        examine: looks closer: whether the bytes prove the file's end, or None if it is no such file after all.
            Raises Broken, and what BoundedFile raises.
    """

    name: str
    recognises: Callable[[bytes, bytes], bool]
    examine: Callable[[bytes, BoundedFile], bool | None]


HEAD = 64


def require(expected: int, there: int, what: str) -> None:
    """Raise Broken if fewer bytes are there than `what` says."""
    if there < expected:
        raise Broken(f"{what} says {expected} bytes, {there} are there")
