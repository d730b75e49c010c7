"""Files that are zips: what the zip itself proves, and what torch, Keras and numpy put into theirs.

Libraries close their zip also after an exception, so that a valid one may lack what its writer did not come to.
"""

from __future__ import annotations

import zlib

from artfs.content.formats.format import Broken, Format
from artfs.content.formats.numpy import LONGEST_HEADER, MAGIC, npy_header
from artfs.content.formats.opened import BoundedFile
from artfs.content.formats.torch import require_torch_members
from artfs.content.formats.zip import (
    END_RECORD,
    LOCAL_HEADER,
    Directory,
    Member,
    Spanned,
    data_start,
    find_directory,
    members,
    require_members,
)

ENDINGS = (b".zip", b".npz", b".keras", b".skops", b".pt2", b".whl")

_DEFLATED = 8
_END_SIZE = 22


def _recognises(name: bytes, head: bytes) -> bool:
    return head.startswith((LOCAL_HEADER, END_RECORD)) or name.endswith(ENDINGS)


def _examine(name: bytes, file: BoundedFile) -> bool | None:
    begins_as_zip = file.pread(0, 4) in (LOCAL_HEADER, END_RECORD)
    try:
        directory = find_directory(file)
    except Spanned:
        return False
    if directory is None:
        if begins_as_zip:
            raise Broken(f"the zip's directory is missing: no end record in {file.size} bytes")
        return None
    if directory.end > file.size:
        raise Broken(f"its end record says {directory.end} bytes, {file.size} are there")
    if begins_as_zip and directory.before:
        return _follows_another(file, directory)
    found = members(file, directory)
    if found:
        require_members(file, directory, found)
        require_torch_members(name, file, found)
        _require_keras_members(name, found)
        _require_last_array(name, file, found)
    return directory.end == file.size


def _follows_another(file: BoundedFile, directory: Directory) -> bool:
    """One zip after the other, as torch's distributed checkpoints have them, or only one that is within another."""
    if file.pread(directory.before - _END_SIZE, 4) != END_RECORD:
        raise Broken("the zip's directory is missing: the end record at its end is of a zip within it")
    return False


def _require_keras_members(name: bytes, found: list[Member]) -> None:
    names = {member.name for member in found}
    if name.endswith(b".keras") and b"config.json" in names and not names & {b"model.weights.h5", b"model.weights.npz"}:
        raise Broken("the zip has no model.weights.h5: its writer was stopped before that")


def _require_last_array(name: bytes, file: BoundedFile, found: list[Member]) -> None:
    """An exception within an array leaves it as the last one, shorter than its header says."""
    last = found[-1]
    if not name.endswith(b".npz") or not last.name.endswith(b".npy"):
        return
    start = _first_bytes(file, last)
    if not start.startswith(MAGIC):
        return
    try:
        header = npy_header(start)
    except Broken:
        return
    if header is not None and header.length is not None and last.size < header.end + header.length:
        shown = last.name.decode(errors="backslashreplace")
        raise Broken(f"the header of {shown} says {header.end + header.length} bytes, {last.size} are there")


def _first_bytes(file: BoundedFile, member: Member) -> bytes:
    at = data_start(file, member)
    if at is None:
        return b""
    start = file.pread(at, min(member.compressed, LONGEST_HEADER + 12))
    if member.method == _DEFLATED:
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(start, LONGEST_HEADER + 12)
        except zlib.error:
            return b""
    return start if member.is_stored else b""


ZIP = Format("zip", _recognises, _examine)
