"""Links that lead out of what becomes a version."""

from __future__ import annotations

import os
import stat

from artfs.content.long_paths import lstat

_NO_DATA = (b"/proc/", b"/sys/", b"/dev/")


def leads_out(link: bytes, target: bytes) -> bool:
    """Whether a link at a path in a version leads out of it, as far as the two paths tell: what is absolute does."""
    if target.startswith(b"/"):
        return True
    depth = link.count(b"/")
    for component in target.split(b"/"):
        depth += -1 if component == b".." else component not in (b"", b".")
        if depth < 0:
            return True
    return False


def file_outside(top: bytes, link: bytes, target: bytes, avoid: bytes | None = None) -> bytes | None:
    """Return the file that a link leads to, all links followed; None if it leads to a name in it, or to no file.

    Args:
        top: the folder that is looked at.
        link: the path of the link below it.
        target: what it says.
        avoid: a folder whose files do not count.
    """
    beside = os.path.dirname(os.path.join(os.path.dirname(link), target))
    if not leads_out(os.path.relpath(link, top), target) and _is_below(os.path.realpath(beside), top):
        return None
    found = os.path.realpath(link)
    if found.startswith(_NO_DATA) or (avoid is not None and _is_below(found, avoid)):
        return None
    try:
        return found if stat.S_ISREG(lstat(found).st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_below(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(os.path.join(folder, b""))
