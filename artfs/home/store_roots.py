"""How the catalog writes down where stores are: relative to the home, for those inside it.

So a home can be moved, copied and restored elsewhere with everything in it. The first release wrote full paths; those
below the place that the home had then are read as relative to it.

    >>> kept_root("/home/ann/art/store", "/home/ann/art")
    'store'
    >>> full_root("store", "/mnt/copy")
    '/mnt/copy/store'
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.stores.local.store import local_path

if TYPE_CHECKING:
    from artfs.catalog.stores import StoreRow
    from artfs.home.home import Home

_DEFAULT_FOLDER = "/store"


def kept_root(root: str, home: str) -> str:
    """Return how the catalog keeps a root: relative to the home if it lies inside of it.

    Args:
        root: absolute path or URI.
        home: absolute path of the home.
    """
    path = local_path(root)
    if path is None:
        return root
    inside = home.rstrip("/") + "/"
    return path[len(inside) :] if path.startswith(inside) else root


def full_root(kept: str, home: str) -> str:
    """Return the path or URI of a root that the catalog keeps."""
    return kept if _is_full(kept) else os.path.join(home, kept)


def earlier_home(rows: Iterable[StoreRow], home: Home) -> str | None:
    """Return where the home was when the first release wrote down full paths of its stores; None where none did.

    That release put the default store into the folder `store` of the home. A store of that name may also be one of the
    user's own that happens to end so: it is taken for the home's only if a home is, or was, around it. A store that has
    its mark was opened by a later release, which keeps its root as it is meant.
    """
    for row in rows:
        if row.marked:
            continue
        root = local_path(row.root)
        if row.name != "default" or root is None or not _is_full(row.root) or not root.endswith(_DEFAULT_FOLDER):
            continue
        place = root.removesuffix(_DEFAULT_FOLDER)
        if place == str(home.path) or Path(place, home.identity_path.name).exists() or not os.path.isdir(root):
            return place
    return None


def rebased(row: StoreRow, earlier: str | None, home: str) -> str:
    """Return the full root of a row, which may have been written down where the home was before."""
    if earlier is not None and _is_full(row.root):
        kept = kept_root(row.root, earlier)
        if not _is_full(kept):
            return os.path.join(home, kept)
    return full_root(row.root, home)


def _is_full(root: str) -> bool:
    return root.startswith("/") or "://" in root
