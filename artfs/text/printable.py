"""Text from anywhere as text that a terminal or a page shows and does not obey."""

from __future__ import annotations

import re

CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""For a character class: C0, DEL and C1, line and paragraph separators, and what changes the direction of writing."""

_CONTROL = re.compile(f"[{CONTROLS}]")


def has_controls(text: str) -> bool:
    """Whether a text has characters that do something to a terminal, and so cannot be in a name."""
    return _CONTROL.search(text) is not None


def printable(text: str, *, keep: str = "") -> str:
    """Return `text` with everything in it that is not a printable character written as Python would write it.

    Args:
        text: may have halves of surrogate pairs, as file names that are not UTF-8 have.
        keep: characters that stay as they are, for example line ends.
    """
    if text.isprintable():
        return text
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in readable
    )
