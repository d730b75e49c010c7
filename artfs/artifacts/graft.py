"""Putting together what was scanned in several places."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from artfs.artifacts.scan import Scanned
from artfs.content.tree import Entry, EntryKind, Tree


def grafted(found: Scanned, path: bytes, part: Scanned, *, is_file: bool = False) -> Scanned:
    """Return what was scanned with something in it that was scanned elsewhere, in place of what is at its path.

    Args:
        found: a directory.
        path: where the part is to be. Directories on the way that are missing get the mode and time of the top.
        part: a directory, or a single file by the last name of `path`.
        is_file: which of the two.
    """
    if is_file:
        [entry] = part.tree.entries
        moved = [replace(file, path=path) for file in part.files]
    else:
        entry = Entry(os.path.basename(path), EntryKind.DIRECTORY, part.mode, part.mtime_ns, tree=part.tree)
        moved = [replace(file, path=path + b"/" + file.path) for file in part.files]
    tree = _with_entry(found, found.tree, path.split(b"/"), entry)
    by_path = {file.path: file for file in (*found.files, *moved)}
    order = (name for name, entry in tree.walk() if entry.kind is EntryKind.FILE)
    return replace(
        found,
        tree=tree,
        files=tuple(by_path[name] for name in order),
        owners=found.owners | part.owners,
        groups=found.groups | part.groups,
    )


def _with_entry(found: Scanned, tree: Tree, way: Sequence[bytes], entry: Entry) -> Tree:
    name, *below = way
    before = {each.name: each for each in tree.entries}
    if below:
        inner = before.get(name, Entry(name, EntryKind.DIRECTORY, found.mode, found.mtime_ns, tree=Tree(())))
        entry = replace(inner, tree=_with_entry(found, inner.tree or Tree(()), below, entry))
    before[name] = entry
    return Tree(tuple(before[each] for each in sorted(before)))
