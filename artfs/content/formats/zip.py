"""zip: the record at its end that says where the directory of all members is, and that directory."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from artfs.content.formats.format import Broken
from artfs.content.formats.opened import BoundedFile

LOCAL_HEADER = b"PK\x03\x04"
END_RECORD = b"PK\x05\x06"
LONGEST_DIRECTORY = 2 * 2**20
"""Bytes of a directory that is read at all."""

_MEMBER = b"PK\x01\x02"
_SIGNATURE = b"PK\x05\x05"
_LOCATOR_64 = b"PK\x06\x07"
_END_RECORD_64 = b"PK\x06\x06"
_END_SIZE = 22
_LOCATOR_64_SIZE = 20
_END_64_SIZE = 56
_MEMBER_SIZE = 46
_LOCAL_SIZE = 30
_LONGEST_COMMENT = 2**16 - 1
_MOST_CANDIDATES = 32
_MOST_LOOKED_AT = 64
_UNKNOWN = 2**32 - 1
_STORED = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the directory has it. header: where its local header begins."""

    name: bytes
    method: int
    compressed: int
    size: int
    header: int

    @property
    def is_stored(self) -> bool:
        return self.method == _STORED and self.compressed == self.size


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the directory is.

    Args:
        start, size: its bytes in the file.
        before: bytes that were put before the zip.
        end: where the end record says that the file ends.
    """

    start: int
    size: int
    before: int
    end: int


class Spanned(Exception):
    """The zip is the last of several files."""


def find_directory(file: BoundedFile) -> Directory | None:
    """Return the directory that the last sound end record names; None: there is no such record. Raises Spanned."""
    tail_start = max(0, file.size - _END_SIZE - _LONGEST_COMMENT)
    tail = file.pread(tail_start, file.size - tail_start)
    for at in _candidates(tail):
        if found := _directory(file, tail_start + at, tail[at : at + _END_SIZE]):
            return found
    return None


def members(file: BoundedFile, directory: Directory) -> list[Member] | None:
    """Return the members, or None if there are too many to look at. Raises Broken if the directory is damaged."""
    if directory.size > LONGEST_DIRECTORY:
        return None
    return list(_members(file.pread(directory.start, directory.size), directory.before))


def require_members(file: BoundedFile, directory: Directory, found: list[Member]) -> None:
    """Raise Broken unless the last members are where the directory says, and end before the next. Two may be one."""
    end = directory.start
    for member in sorted(found, key=lambda member: member.header)[: -_MOST_LOOKED_AT - 1 : -1]:
        start = data_start(file, member)
        shown = member.name.decode(errors="backslashreplace")
        if start is None:
            raise Broken(f"{shown} is not at byte {member.header}, where its directory says")
        if start + member.compressed > end != member.header:
            there = max(0, end - start)
            raise Broken(f"the zip's directory says {member.compressed} bytes of {shown}, {there} are there")
        end = member.header


def data_start(file: BoundedFile, member: Member) -> int | None:
    """Return where a member's bytes begin, or None if its local header is not there."""
    header = file.pread(member.header, _LOCAL_SIZE)
    if len(header) < _LOCAL_SIZE or not header.startswith(LOCAL_HEADER):
        return None
    name, extra = struct.unpack_from("<HH", header, 26)
    return member.header + _LOCAL_SIZE + int(name) + int(extra)


def _candidates(tail: bytes) -> list[int]:
    """Where an end record may be: first those whose comment is all that follows, the last ones before the others."""
    there = [found.start() for found in re.finditer(END_RECORD, tail) if found.start() + _END_SIZE <= len(tail)]
    closing = [at for at in there if at + _END_SIZE + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)]
    return closing[: -_MOST_CANDIDATES - 1 : -1] + there[: -_MOST_CANDIDATES - 1 : -1]


def _directory(file: BoundedFile, at: int, record: bytes) -> Directory | None:
    disk, _, _, _, size, offset, comment = struct.unpack_from("<HHHHIIH", record, 4)
    records = at
    found = _end_64(file, at)
    if found is not None:
        records, disk, size, offset = found
    if disk not in (0, 2**16 - 1):
        raise Spanned
    before = records - size - offset
    for start, shift in ((offset + before, before), (offset, 0)):
        if shift < 0 or start < 0 or start + size > records:
            continue
        if size == 0 or file.pread(start, 4) == _MEMBER:
            return Directory(start, size, shift, at + _END_SIZE + comment)
    return None


def _end_64(file: BoundedFile, at: int) -> tuple[int, int, int, int] | None:
    """Where the end records begin, the disk, and the directory's size and offset, if the zip says so in 64 bits."""
    locator = file.pread(at - _LOCATOR_64_SIZE, _LOCATOR_64_SIZE)
    if not locator.startswith(_LOCATOR_64):
        return None
    for start in (at - _LOCATOR_64_SIZE - _END_64_SIZE, int.from_bytes(locator[8:16], "little")):
        record = file.pread(start, _END_64_SIZE)
        if len(record) == _END_64_SIZE and record.startswith(_END_RECORD_64):
            (disk,) = struct.unpack_from("<I", record, 16)
            size, offset = struct.unpack_from("<QQ", record, 40)
            return start, disk, size, offset
    return None


def _members(directory: bytes, before: int) -> Iterator[Member]:
    at = 0
    while at < len(directory) and not directory.startswith(_SIGNATURE, at):
        if not directory.startswith(_MEMBER, at) or len(directory) - at < _MEMBER_SIZE:
            raise Broken(f"its directory is damaged at byte {at} of {len(directory)}")
        (method,) = struct.unpack_from("<H", directory, at + 10)
        compressed, size, name, extra, comment = struct.unpack_from("<IIHHH", directory, at + 20)
        (header,) = struct.unpack_from("<I", directory, at + 42)
        begin = at + _MEMBER_SIZE
        fields = _fields_64(directory[begin + name : begin + name + extra])
        size, compressed, header = (
            next(fields, each) if each == _UNKNOWN else each for each in (size, compressed, header)
        )
        yield Member(directory[begin : begin + name], method, compressed, size, header + before)
        at = begin + name + extra + comment


def _fields_64(extra: bytes) -> Iterator[int]:
    """The numbers that have no room in 32 bits: those that are needed, in the order of the format."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            for start in range(at + 4, min(at + 4 + length, len(extra)) - 7, 8):
                yield int.from_bytes(extra[start : start + 8], "little")
            return
        at += 4 + length
