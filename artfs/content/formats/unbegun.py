"""Files that their name says are of a format, and whose first bytes were never written, or not all of them."""

from __future__ import annotations

from artfs.content.formats.arrow import FEATHER_1_MAGIC, FILE_MAGIC
from artfs.content.formats.format import HEAD, Broken, Format
from artfs.content.formats.hdf5 import SIGNATURE
from artfs.content.formats.opened import BoundedFile
from artfs.content.formats.parquet import MAGIC
from artfs.content.formats.zip import END_RECORD, LOCAL_HEADER

_ZIP = (LOCAL_HEADER, END_RECORD)
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_HDF5 = (SIGNATURE,)
"""One that is several files begins once only; the others may begin with zeros."""
_BEGINNINGS: dict[bytes, tuple[bytes, ...]] = {
    b".zip": _ZIP,
    b".npz": _ZIP,
    b".keras": _ZIP,
    b".skops": _ZIP,
    b".pt": (*_ZIP, *_PICKLES),
    b".pth": (*_ZIP, *_PICKLES),
    b".pkl": _PICKLES,
    b".pickle": _PICKLES,
    b".joblib": _PICKLES,
    b".h5": _HDF5,
    b".hdf5": _HDF5,
    b".h5ad": _HDF5,
    b".parquet": (MAGIC, b"PARE"),
    b".feather": (FILE_MAGIC, FEATHER_1_MAGIC),
    b".arrow": (FILE_MAGIC, b"\xff\xff\xff\xff"),
    b".npy": (b"\x93NUMPY",),
    b".gz": (b"\x1f\x8b\x08",),
}
"""Only endings that nothing else uses, and what their files begin with."""

_ZEROS = 16


def _examine(name: bytes, file: BoundedFile, beginnings: tuple[bytes, ...]) -> bool | None:
    start = file.pread(0, HEAD)
    if not any(start[:_ZEROS]) and beginnings != _HDF5:
        raise Broken(f"its first {len(start[:_ZEROS])} bytes are zero: its beginning was not written")
    if any(len(start) < len(each) and each.startswith(start) for each in beginnings):
        raise Broken(f"it ends within its first bytes, after {len(start)}")
    return None


def _for(ending: bytes, beginnings: tuple[bytes, ...]) -> Format:
    return Format(
        ending[1:].decode(),
        lambda name, head: name.endswith(ending),
        lambda name, file: _examine(name, file, beginnings),
    )


UNBEGUN = tuple(_for(ending, beginnings) for ending, beginnings in _BEGINNINGS.items())
