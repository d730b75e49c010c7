"""HDF5: the superblock says where the file ends, and in its newest form whether it was closed.

The superblock is at 0, or behind a block of the user's at 512, 1024, 2048 and so on. Addresses count from the beginning
of the file. A file that is one of several (drivers `family`, `split`) ends elsewhere than its superblock says.
"""

from __future__ import annotations

from artfs.content.formats.format import Broken, Format, require
from artfs.content.formats.opened import BoundedFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ENDINGS = (b".h5", b".hdf5", b".hdf", b".he5", b".h5ad", b".nc", b".nc4", b".mat")

_SUPERBLOCK = 160
_OPEN_FOR_WRITING = 1
_ADDRESS_SIZES = (2, 4, 8)


def _recognises(name: bytes, head: bytes) -> bool:
    return head.startswith(SIGNATURE) or name.endswith(ENDINGS)


def _examine(name: bytes, file: BoundedFile) -> bool | None:
    at = _find(file)
    if at is None:
        return None
    block = file.pread(at, _SUPERBLOCK)
    version = block[8] if len(block) > 8 else 0
    if version > 3:
        return False
    sizes, flags, addresses = ((13, 20, 24), (13, 20, 28), (9, 11, 12), (9, 11, 12))[version]
    width = block[sizes] if len(block) > sizes else 8
    if width not in _ADDRESS_SIZES:
        return False
    require(at + addresses + 4 * width, file.size, "its superblock")
    base, second, end, last = (
        int.from_bytes(block[start : start + width], "little")
        for start in range(addresses, addresses + 4 * width, width)
    )
    nowhere = 256**width - 1
    if base != at:
        return False  # something was put before it, or it is within something else
    is_open = block[flags] == _OPEN_FOR_WRITING  # releases before 1.8 left 3 there
    if version == 3 and block[flags] & _OPEN_FOR_WRITING:
        raise Broken("it was not closed: its superblock says that it is open for writing")
    elsewhere = last != nowhere if version < 2 else _names_a_driver(file, at, second, nowhere)
    if elsewhere:
        return False
    require(end, file.size, "its superblock")
    if is_open and file.size > end:
        raise Broken(f"it was not closed: its superblock says {end} bytes, {file.size} are there")
    return file.size == end and not is_open


def _find(file: BoundedFile) -> int | None:
    at = 0
    while at + len(SIGNATURE) <= file.size:
        if file.pread(at, len(SIGNATURE)) == SIGNATURE:
            return at
        at = at * 2 or 512
    return None


def _names_a_driver(file: BoundedFile, at: int, extension: int, nowhere: int) -> bool:
    """Whether the superblock's extension says how the file is one of several."""
    return extension != nowhere and b"NCSA" in file.pread(at + extension, 1024)


HDF5 = Format("HDF5", _recognises, _examine)
