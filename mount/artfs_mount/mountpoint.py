"""Mount points: whether artfs may be mounted at a path."""

from __future__ import annotations

import os
from pathlib import Path

from artfs.errors import MountError
from artfs.linux.mounts import is_dead, mounted_at, unmount, without_links


def prepare(path: Path) -> Path:
    """Makes sure that artfs can be mounted at a path, and returns the path without links.

    Nothing is changed: a mount of artfs whose daemon has died stays there until `take_over`. Raises MountError.
    """
    if is_dead(path):
        return _dead(path)
    try:
        resolved = path.resolve(strict=True)
    except FileNotFoundError:
        raise MountError(f"{path}: there is no such directory; make it first: mkdir -p {path}") from None
    except OSError as error:
        raise MountError(f"{path}: {error.strerror}; choose a directory that you may use") from error
    if not resolved.is_dir():
        raise MountError(f"{path}: it is not a directory; choose an empty one")
    existing = mounted_at(resolved)
    if existing is not None:
        what = "artfs is mounted there already" if existing.is_artfs else f"a {existing.file_system} is mounted there"
        raise MountError(f"{path}: {what}; unmount it first, or choose another directory")
    if not os.access(resolved, os.R_OK | os.W_OK | os.X_OK):
        raise MountError(f"{path}: it belongs to somebody else; choose a directory that you may write to")
    _check_empty(resolved)
    return resolved


def take_over(path: Path) -> None:
    """Takes away a dead mount of artfs, right before the new one takes its place.

    In the moment between the two, programs meet an empty directory, which a mirror would copy: so nothing else may be
    left to do then. Raises MountError if the directory below is not empty.
    """
    if is_dead(path):
        unmount(_dead(path), lazy=True)
        _check_empty(path)


def _dead(path: Path) -> Path:
    existing = mounted_at(without_links(path))
    if existing is None or not existing.is_artfs:
        raise MountError(f"{path}: a dead mount that is not ours lies there; unmount it first: fusermount3 -uz {path}")
    return existing.path


def _check_empty(path: Path) -> None:
    if any(path.iterdir()):
        raise MountError(f"{path}: it is not empty, and a mount would hide what is in it; choose an empty directory")
