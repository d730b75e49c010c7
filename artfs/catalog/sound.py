"""Names as rows have them. What artfs would never have written there is damage, and must not become a path.

Names were checked when they came in; but a catalog is a file, and whoever wrote into it with something else must not
reach files beside a version, a store or the home. So the rows of everything whose name becomes (a part of) a path are
made into values through here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from artfs.errors import CatalogCorrupt
from artfs.names import RESERVED_PREFIX

_ADVICE = "it was not artfs that wrote this: restore the catalog from a backup"

_DIRECTORIES = frozenset((b"", b".", b".."))
_NAMES = frozenset(("", ".", ".."))


def sound_name(what: str, name: Any) -> str:
    """Return the name of an artifact, version, tag, ... if it can be one component of a path.

    Args:
        what: it is the name of.
        name: as a row has it.

    Raises:
        CatalogCorrupt: it cannot.
    """
    if not isinstance(name, str) or name in _NAMES or "/" in name or "\0" in name or name.startswith(RESERVED_PREFIX):
        raise _damaged(f"it names {what} {_shown(name)}")
    return name


def check_entry_names(names: Iterable[bytes]) -> None:
    """Check what is in a directory of a version. All together, as thousands are made for one listing.

    Raises:
        CatalogCorrupt: one of them cannot be one component of a path.
    """
    names = list(names)
    try:
        joined = b"\0".join(names)
        if b"/" not in joined and joined.count(b"\0") <= max(len(names) - 1, 0) and _DIRECTORIES.isdisjoint(names):
            return
    except TypeError:
        pass
    wrong = next(name for name in names if not _is_sound(name))
    raise _damaged(f"it lists {_shown(wrong)} in a version, which cannot be a name in a directory")


def check_root_names(names: Iterable[bytes]) -> None:
    """Check what lies at the top of a version, where artfs keeps names for itself.

    Raises:
        CatalogCorrupt: one of them is taken from those.
    """
    reserved = RESERVED_PREFIX.encode()
    wrong = next((name for name in names if name.startswith(reserved)), None)
    if wrong is not None:
        raise _damaged(f"it lists {_shown(wrong)} in a version, and names that begin so are artfs's own there")


def sound_place(path: Any) -> bytes:
    """Return where something lies below the root of a store, if that is below it.

    Raises:
        CatalogCorrupt: it is not.
    """
    if not isinstance(path, bytes) or not all(map(_is_sound, path.split(b"/"))):
        raise _damaged(f"it names {_shown(path)} as a place in a store")
    return path


def damaged_directory(tree_id: int, why: str) -> CatalogCorrupt:
    """The error for rows that cannot be a directory."""
    return _damaged(f"directory {tree_id} in it cannot be one: {why}")


def _is_sound(name: Any) -> bool:
    return isinstance(name, bytes) and name not in _DIRECTORIES and b"/" not in name and b"\0" not in name


def _damaged(what: str) -> CatalogCorrupt:
    return CatalogCorrupt(f"the catalog is damaged: {what}; {_ADVICE}")


def _shown(name: Any) -> str:
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
    return ascii(text[:100])
