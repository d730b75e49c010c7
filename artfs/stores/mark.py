"""The mark that makes a directory the root of a store, and says whose store it is.

    <root>/.artfs/mark.json     {"home": UUID, "home_path": where that home is, "store": its name in the catalog}

A directory without its mark is not the store: most likely its disk is not mounted, and what lies below the mount point
must neither be taken for an empty store nor be written to. A store has one home: what one catalog does not know would
be garbage to it, though another catalog needs it.

The first release marked a root with an extended attribute alone, which copies and archives leave behind.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from artfs.content.files import sync_directory, sync_file, write_all
from artfs.errors import StoreError
from artfs.sharing import Sharing

FOLDER = ".artfs"
MARK = f"{FOLDER}/mark.json"

Stamp = tuple[int, int, int]

_ATTRIBUTE = "user.artfs.catalog"
_NO_ATTRIBUTE = {errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT}


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose store a directory is.

    Args:
        home: identity of the home.
        home_path: where the home is, without links.
        store: what its catalog calls the store; empty in a mark of an earlier release.
    """

    home: str
    home_path: str
    store: str

    def is_of(self, other: Mark) -> bool:
        """Whether both are of the same store of the same home, wherever that home is."""
        return self.home == other.home and (not self.store or self.store == other.store)


def read_mark(root: str) -> Mark | None:
    """Return the mark of a root, or None where there is none.

    Raises:
        StoreError: the mark cannot be understood.
    """
    try:
        text = _text_of(os.path.join(root, MARK))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _parsed(text, root)


def check_mark(directory: int, root: str, expected: Mark) -> None:
    """Raise StoreError unless an open directory bears the mark that is expected there.

    Args:
        directory: descriptor of the root.
        root: its path, for the message.
        expected: the mark of the catalog's store.
    """
    try:
        found = _parsed(_text_of(MARK, directory), root)
    except FileNotFoundError:
        raise not_mounted(root, expected.store) from None
    if not found.is_of(expected):
        raise another_store(root, found, expected)


def is_marked(root: str) -> bool:
    """Whether a root bears any mark just now."""
    return os.path.exists(f"{root}/{MARK}")


def mark_stamp(root: str) -> Stamp:
    """Return what differs between any two marks: one system call, for whoever asks often.

    Raises FileNotFoundError where there is no mark, and NotADirectoryError where the root is a file.
    """
    status = os.stat(f"{root}/{MARK}")
    return status.st_dev, status.st_ino, status.st_mtime_ns


def not_mounted(root: str, store: str) -> StoreError:
    """Return the error for a root that bears no mark."""
    return StoreError(
        f"the directory '{root}' of artifact store '{store}' is not the store, as its mark {MARK} is missing: "
        f"{is_away(store)}",
        subject=root,
    )


def is_away(store: str) -> str:
    """Return what to do about a store that is not where it should be, for the end of a message."""
    moved = f" If it was moved: artfs artifact-store update '{store}' --path DIR" if store else ""
    return f"is its disk mounted?{moved}"


def another_store(root: str, found: Mark, expected: Mark) -> StoreError:
    """Return the error for a root that bears the mark of another store."""
    return StoreError(
        f"another artifact store is at '{root}' ('{found.store}' of the home {found.home_path}), where "
        f"'{expected.store}' should be: mount the right disk there",
        subject=root,
    )


def set_mark(root: str, mark: Mark, sharing: Sharing) -> Mark:
    """Mark a root that bears no mark yet, and return the mark that it bears then: another process may be first."""
    folder = Path(root, FOLDER)
    sharing.make_folder(folder)
    draft = _written(folder, mark, sharing)
    try:
        os.link(draft, os.path.join(root, MARK))
    except FileExistsError:
        found = read_mark(root)
        assert found is not None
        return found
    finally:
        os.unlink(draft)
    _sync(root)
    return mark


def replace_mark(root: str, mark: Mark, sharing: Sharing) -> None:
    """Put another mark in the place of a root's own: its home was moved."""
    os.rename(_written(Path(root, FOLDER), mark, sharing), os.path.join(root, MARK))
    _sync(root)


def remove_mark(root: str, mark: Mark) -> None:
    """Take a mark off a root, if it bears that one: the store is forgotten, and what lies there is the user's."""
    found = read_mark(root) or attribute_mark(root)
    if found is None or not found.is_of(mark):
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(root, MARK))
    with contextlib.suppress(OSError):
        os.removexattr(root, _ATTRIBUTE)


def attribute_mark(root: str) -> Mark | None:
    """Return the mark that an earlier release has set as an extended attribute, or None where there is none."""
    try:
        text = os.getxattr(root, _ATTRIBUTE)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTE:
            raise
        return None
    home, _, path = os.fsdecode(text).partition(" ")
    return Mark(home, path, "")


def _text_of(path: str, directory: int | None = None) -> bytes:
    """The text of a mark. Of a pipe, which nobody writes to, it is empty: that is no mark, and nobody waits for it."""
    reading = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
    try:
        return os.read(reading, 65536)
    finally:
        os.close(reading)


def _parsed(text: bytes, root: str) -> Mark:
    try:
        values = json.loads(text)
        return Mark(str(values["home"]), str(values["home_path"]), str(values["store"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the mark {MARK} of the artifact store at '{root}' cannot be read ({error!r}): restore it from a backup",
            subject=root,
        ) from None


def _written(folder: Path, mark: Mark, sharing: Sharing) -> str:
    """A new file with a mark, durable, beside where it will be."""
    draft = str(folder / f"mark-{uuid.uuid4().hex}")
    writing = sharing.opener(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(writing, json.dumps(asdict(mark)).encode("utf-8", "surrogateescape") + b"\n")
        sync_file(writing)
    except BaseException:
        os.unlink(draft)
        raise
    finally:
        os.close(writing)
    return draft


def _sync(root: str) -> None:
    with contextlib.suppress(PermissionError):  # one may be allowed to write there and not to look
        sync_directory(os.path.join(root, FOLDER))
        sync_directory(root)
