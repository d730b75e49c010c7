"""Names of the catalog as names of files: what a path cannot hold is written as `%` and two hex digits, as in URLs.

Only `/`, NUL and other control characters, the names `.` and `..`, and a `%` that would be read as such are escaped, so
nearly every name is shown as it is, and no two are shown alike. What is longer than a file name may be ends in `~` and
a digest, and is found by looking through the directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from artfs.content.digest import tagged

if TYPE_CHECKING:
    from artfs.catalog.lineage import Use

_MOST_BYTES: Final = 255
_KEPT_BYTES: Final = 230
_ESCAPED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/]|%(?=[0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_POSITION: Final = re.compile(r"\.(?=[0-9]+$)")
VERSION_MARK: Final = "@"


def file_name(text: str, *, taken: Iterable[str] = ()) -> bytes:
    """The name of a file that stands for a name of the catalog.

    Args:
        text: the name.
        taken: names that mean something else in that directory.
    """
    shown = _ESCAPED.sub(lambda found: _percent(found[0]), text)
    if shown in (".", "..", "", *taken):
        shown = "".join(_percent(letter) for letter in shown[:1]) + shown[1:] if shown else "%"
    return _short(shown)


def catalog_name(name: bytes) -> str | None:
    """The name of the catalog that a file name stands for; None if it is no UTF-8 or was too long to be shown."""
    try:
        return _ESCAPE.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode(), name.decode())
    except UnicodeDecodeError:
        return None


def version_name(artifact: str, version: str) -> bytes:
    """`<artifact>@<version>`. An `@` within the version is escaped, so that the last one always divides."""
    return _short(f"{_escaped(artifact)}{VERSION_MARK}{_escaped(version).replace(VERSION_MARK, '%40')}")


def step_name(pipeline: str, run: str, step: str) -> bytes:
    """`<pipeline>@<run>@<step>`, each `@` within them escaped."""
    return _short(VERSION_MARK.join(_escaped(part).replace(VERSION_MARK, "%40") for part in (pipeline, run, step)))


def slot_name(use: Use) -> bytes:
    """`<slot>`, and `<slot>.<position>` for the others in a list. A slot that itself looks so has its dot escaped."""
    slot = use.slot
    if slot.isascii() and slot.isidentifier() and len(slot) < _KEPT_BYTES:
        shown = slot  # nearly all are: there is nothing to escape
    else:
        shown = _POSITION.sub("%2E", file_name(slot).decode())
    return _short(f"{shown}.{use.position}" if use.position else shown)


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _percent(found[0]), text)


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "backslashreplace"))


def _short(shown: str) -> bytes:
    encoded = shown.encode("utf-8", "backslashreplace")
    if len(encoded) <= _MOST_BYTES:
        return encoded
    begin = encoded[:_KEPT_BYTES].decode("utf-8", "ignore").encode()
    return begin + b"~" + tagged(b"artfs mount long name", encoded)[:8].hex().encode()
