"""Putting one content into a store, such that its bytes are known to be there and right. All of it may be repeated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.content.digest import BLOCK_SIZE, FileDigest, Hasher, format_digest, hash_file
from artfs.errors import DigestMismatch, PlaceExists

if TYPE_CHECKING:
    from artfs.stores.base import Store


def put(store: Store, source: Path, key: bytes, file: FileDigest) -> None:
    """Put a file into a store, without making it durable.

    Where the bytes can be read again at no cost, they are; elsewhere those that are sent are checked, and the size of
    what has come.

    Args:
        store: where to.
        source: a file that nobody writes to.
        key: path below the root of the store; whatever lies there and is something else is replaced, as a transfer
            that was cut short leaves it.
        file: what the bytes must be.

    Raises DigestMismatch if the source is something else, or if something else has come.
    """
    if not store.is_local:
        _check_source(source, file)
    try:
        store.place(source, key, adopt=False)
    except PlaceExists:
        if is_there(store, key, file):
            return
        store.delete(key)
        store.place(source, key, adopt=False)
    found = _digest_at(store, key) if store.is_local else None
    size = _size_at(store, key) if found is None else found.size
    if size == file.size and (found is None or found.digest == file.digest):
        return
    store.delete(key)
    _check_source(source, file)
    raise DigestMismatch(
        f"'{store.place_path(key)}' is not what was written there: {size} bytes came, and should be {_told(file)}; it "
        "was removed again",
        subject=store.place_path(key),
    )


def is_there(store: Store, key: bytes, file: FileDigest) -> bool:
    """Whether a content lies at a place, whole; its bytes are read."""
    try:
        return _size_at(store, key) == file.size and _digest_at(store, key).digest == file.digest
    except FileNotFoundError:
        return False


def _size_at(store: Store, key: bytes) -> int:
    with store.open_place(key) as reader:
        return reader.size


def _digest_at(store: Store, key: bytes) -> FileDigest:
    hasher = Hasher()
    with store.open_place(key) as reader:
        while piece := reader.pread(hasher.size, BLOCK_SIZE):
            hasher.update(piece)
    return hasher.finish()


def _check_source(source: Path, file: FileDigest) -> None:
    found = hash_file(source)
    if found.digest != file.digest:
        raise DigestMismatch(
            f"'{os.fspath(source)}' is damaged: it is {_told(found)} instead of {_told(file)}; run 'artfs verify' to "
            "see what else is",
            subject=source,
        )


def _told(file: FileDigest) -> str:
    return f"{format_digest(file.digest)} with {file.size} bytes"
