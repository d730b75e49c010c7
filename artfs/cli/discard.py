"""`artfs discard`: remove drafts and what is in them, such as what a killed program left. No version is touched."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import click

from artfs.cli.confirming import confirm, yes_option
from artfs.cli.printing import readable_count, readable_size, say
from artfs.cli.reporting import explain
from artfs.content.files import remove_tree, walk_files
from artfs.content.long_paths import lstat
from artfs.errors import DraftHeld, DraftNotFound, InvalidValue, MountError
from artfs.linux import mounts

INCOMING = "incoming"
OPEN = "user.artfs.open"
LEFT = "user.artfs.left"


@dataclass(frozen=True, slots=True)
class Doomed:
    """Something in /incoming that is to go.

    Args:
        path: where it is.
        shown: the same, from /incoming on.
        files, bytes: what is there; links and the like have no bytes.
    """

    path: Path
    shown: str
    files: int
    bytes: int


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--left", is_flag=True, help="Only what programs that have ended left in these drafts under temporary names."
)
@yes_option
def discard(paths: tuple[Path, ...], left: bool, yes: bool) -> None:
    """Remove drafts, or what is in them, and no version.

    PATH is an entry of the mount's incoming directory, or something in one, for example mnt/incoming/run/checkpoint-7.
    Prints what is to go and asks. What is open for writing is refused, and then nothing is removed.
    """
    given = [_checked(path) for path in dict.fromkeys(paths)]
    found = [each for path, root in given for each in (_left(path, root) if left else [_looked_at(path, root)])]
    for each in found:
        _check_closed(each)
    for each in found:
        say(f"{each.shown}: {readable_count(each.files, 'file')}, {readable_size(each.bytes)}")
    if not found:
        say("nothing is left by programs that have ended")
        return
    confirm("Remove it? Versions stay." if len(found) == 1 else f"Remove these {len(found):,}? Versions stay.", yes=yes)
    for each in found:
        _check_closed(each)
        _remove(each)


def _checked(given: Path) -> tuple[Path, Path]:
    """A path in /incoming, whose last part is not followed if it is a link, and the mount."""
    named = given.name not in ("", "..")
    path = mounts.without_links(given.parent) / given.name if named else mounts.without_links(given)
    root = mounts.artfs_of(path.parent, given)
    if why := mounts.read_status(root).get("read_only"):
        raise MountError(f"{given}: {why}; so nothing can be removed from it", subject=str(given))
    if root / INCOMING not in path.parents:
        raise InvalidValue(
            f"{given}: it is not in {root / INCOMING}, and versions are not removed here; "
            "'artfs artifact version delete' removes one",
            subject=str(given),
        )
    if not os.path.lexists(path):
        raise DraftNotFound(f"{given}: nothing of this name is there; 'artfs status {root}' lists drafts")
    return path, root


def _left(draft: Path, root: Path) -> list[Doomed]:
    """What programs left in a draft that have ended."""
    if draft.parent != root / INCOMING:
        raise InvalidValue(f"{draft}: --left is for whole drafts, such as {root / INCOMING / 'my_model'}")
    try:
        answer = json.loads(os.getxattr(draft, LEFT, follow_symlinks=False))
    except OSError as error:
        if error.errno == errno.ENODATA:  # a link: nothing is in it
            return []
        raise MountError(f"{draft}: the mount does not tell what is left: {explain(error)}", subject=draft) from error
    if answer["running"]:
        raise DraftHeld(
            f"{draft}: a program that wrote it still runs, or cannot be seen; name what is to go yourself",
            subject=draft,
        )
    return [_looked_at(draft / path, root) for path in answer["left"]]


def _looked_at(path: Path, root: Path) -> Doomed:
    shown = str(path.relative_to(root / INCOMING))
    is_folder = stat.S_ISDIR(lstat(os.fsencode(path)).st_mode)
    sizes = list(map(_size, walk_files(os.fsencode(path)) if is_folder else [os.fsencode(path)]))
    return Doomed(path, shown, len(sizes), sum(sizes))


def _size(path: bytes) -> int:
    try:
        status = lstat(path)
    except FileNotFoundError:
        return 0  # somebody has removed it since it was listed
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _check_closed(doomed: Doomed) -> None:
    try:
        writers = int(os.getxattr(doomed.path, OPEN, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOENT):  # a link, or gone
            return
        raise MountError(f"{doomed.path}: the mount does not tell who writes it: {explain(error)}") from error
    if writers:
        how_many = "a file is" if writers == 1 else f"{writers} files are"
        raise DraftHeld(f"{doomed.path}: {how_many} open for writing; close them, then discard it", subject=doomed.path)


def _remove(doomed: Doomed) -> None:
    path = os.fsencode(doomed.path)
    try:
        if stat.S_ISDIR(lstat(path).st_mode):
            remove_tree(path, despite_modes=True)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
