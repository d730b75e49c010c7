"""Whatever is in a file: nothing is raised, little is read, and it is over soon."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artfs.content.formats import MOST_BYTES, MOST_READS, Finding
from artfs.content.formats.format import HEAD
from support.formats import OWN, Bytes, fault, found

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
BEGINNINGS = [
    b"",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x01\x02",
    LEGACY,
    b"\x80\x02",
    b"\x80\x04\x95",
    b"\x89HDF\r\n\x1a\n\x00",
    b"\x89HDF\r\n\x1a\n\x02\x08\x08",
    b"\x89HDF\r\n\x1a\n\x03",
    b"PAR1",
    b"ARROW1\0\0",
    b"FEA1",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\x10\0\0\0\x04\0\0\0",
    b"\x93NUMPY\x01\0",
    b"\x93NUMPY\x01\0\x40\0{'descr': '<f8', 'shape': (",
    b"\x1f\x8b\x08",
    b"SQLite format 3\0",
    b"\x08\0\0\0\0\0\0\0{",
    b'\x20\0\0\0\0\0\0\0{"a":{"data_offsets":[',
    b"{",
    b'{"a": [',
    b"{L\0\0\0\0\0\0\0\x07learner",
    b"tree\nversion=v4\n",
    b"tree\nversion=v4\ntree_sizes=1 2\n\n",
]
ENDS = [b"", b"PAR1", b"ARROW1", b"FEA1", b".", b"}", b"PK\x05\x06" + bytes(18), b"\xff\xff\xff\xff\0\0\0\0"]
ENDINGS = [".pt", ".pkl", ".npz", ".keras", ".h5", ".arrow", ".npy", ".json", ".safetensors", ".gz", ".PT"]
NAMES = ["a", *(f"a{ending}" for ending in ENDINGS)]
SIGNS = [b"PK\x01\x02", b"PK\x03\x04", b"PK\x06\x06", b"PK\x06\x07", b"\xff" * 8, bytes(40), b"[", b"\\", b'"']

noise = st.binary(max_size=400) | st.lists(st.sampled_from(SIGNS), max_size=20).map(b"".join)


@given(st.sampled_from(NAMES), st.sampled_from(BEGINNINGS), noise, st.sampled_from(ENDS))
def test_any_bytes_get_an_answer(name: str, beginning: bytes, middle: bytes, end: bytes) -> None:
    finding = found(name, beginning + middle + end)
    assert finding is None or isinstance(finding, Finding)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_of_large_noise_little_is_read(beginning: bytes) -> None:
    noise = random.Random(3).randbytes(6 * 2**20)
    for name in NAMES:
        file = Bytes(beginning + noise)
        OWN.check(name.encode(), file)
        assert file.read <= MOST_BYTES + HEAD
        assert file.reads <= MOST_READS + 1


@given(st.data())
def test_a_whole_file_with_some_bytes_changed_gets_an_answer(data: st.DataObject) -> None:
    name, whole = data.draw(st.sampled_from(sorted(_whole_files().items())))
    changed = bytearray(whole)
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        changed[at] = value
    finding = found(name, bytes(changed))
    assert finding is None or isinstance(finding, Finding)


def _whole_files() -> dict[str, bytes]:
    zipped, archive, array = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"w": torch.ones(4)}, zipped)
    np.savez_compressed(archive, a=np.ones(9))
    np.save(array, np.zeros(3, [("a", "<f4"), ("b", "<i8", (2,))]))
    return {"a.pt": zipped.getvalue(), "a.npz": archive.getvalue(), "a.npy": array.getvalue()}


def _directory_of(size: int) -> bytes:
    """A zip whose directory has no end of members, each with the shortest name there is."""
    member = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    directory = member * (size // len(member))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 4, 0)
    return b"PK\x03\x04" + directory + end


def _pickled_in_a_zip(pickled: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
    return buffer.getvalue()


def _npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x02\0" + len(header).to_bytes(4, "little") + header


TINY_MESSAGE = b"\xff\xff\xff\xff\x10\0\0\0" + struct.pack("<IiHHI", 4, -4, 4, 4, 0)

HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "deep JSON": ("a.json", lambda: b'{"a":' * 200_000),
    "many lists": ("a.json", lambda: b"[" + b"[]," * 349_000),
    "a long number": ("a.json", lambda: b"[" + b"9" * 1_000_000),
    "large JSON": ("a.json", lambda: b'{"a":' + b"[" * 20_000_000),
    "deep header": ("a.safetensors", lambda: (2**21).to_bytes(8, "little") + b'{"a":' + b"[" * 2**21),
    "header of lists": ("a.safetensors", lambda: (2**21).to_bytes(8, "little") + b'{"a":[' + b"[]," * 2**20),
    "huge header": ("a.safetensors", lambda: (99_000_000).to_bytes(8, "little") + b"{" * 100),
    "header of 2**64": ("a.safetensors", lambda: b"\xff" * 8 + b"{" * 100),
    "directory": ("a.zip", lambda: _directory_of(2**21)),
    "huge directory": ("a.zip", lambda: _directory_of(2**24)),
    "end records": ("a.zip", lambda: b"PK\x03\x04" + b"PK\x05\x06" * 2**20),
    "end records that lead back": ("a.zip", lambda: b"PK\x03\x04" + (b"PK\x05\x06" + bytes(18)) * 2**17),
    "pickle in a zip": ("a.pt", lambda: _pickled_in_a_zip(b"\x80\x02" + b"(" * 2**20)),
    "pickled storages": ("a.pt", lambda: _pickled_in_a_zip(b"\x80\x02" + b"(tQ" * 300_000)),
    "pickled texts": ("a.pt", lambda: _pickled_in_a_zip(b"\x80\x02" + rb"S'\d'" + b"\n" + b"I" + b"9" * 9000 + b"\n.")),
    "legacy torch": ("a.pt", lambda: LEGACY + b"\x80\x02}." + b"\x80\x02" + b"N" * 2**22),
    "frame of 2**64": ("a.pkl", lambda: b"\x80\x04\x95" + b"\xff" * 8 + b"."),
    "deep npy header": ("a.npy", lambda: _npy(b"{'descr': " + b"(" * 9000)),
    "minus in npy header": ("a.npy", lambda: _npy(b"{'shape': (" + b"-" * 9000)),
    "long npy header": ("a.npy", lambda: _npy(b"{'descr': '<f8', 'shape': (" + b"1," * 500_000)),
    "numbers in npy header": ("a.npy", lambda: _npy(b"{'descr': 'f8', 'shape': (" + (b"9" * 18 + b",") * 400 + b")}")),
    "bomb": ("a.gz", lambda: gzip.compress(bytes(500 * 2**20), 1)[: 2**20]),
    "empty gzip members": ("a.gz", lambda: gzip.compress(b"") * 50_000),
    "tiny messages": ("a.arrow", lambda: TINY_MESSAGE * 200_000),
    "trees": ("a.txt", lambda: b"tree\nversion=v4\ntree_sizes=" + b"9 " * 500_000 + b"\n\n"),
    "no header's end": ("a.txt", lambda: b"tree\nversion=v4\n" + b"x" * 2**22),
    "signatures": ("a.h5", lambda: b"\x89HDF\r\n\x1a\n\x09" * 2**20),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.timeout(20)
def test_the_budget_holds(case: str) -> None:
    name, make = HOSTILE[case]
    file = Bytes(make())
    OWN.check(name.encode(), file)
    assert file.read <= MOST_BYTES + HEAD
    assert file.reads <= MOST_READS + 1


def test_a_fault_is_short_whatever_the_file_says() -> None:
    key = "k" * 200_000

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", torch.FloatStorage, value.name, "cpu", 1) if isinstance(value, Named) else None

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(Named(key))
    said = fault("a.pt", _pickled_in_a_zip(buffer.getvalue()))
    assert said is not None
    assert said.startswith("its data.pkl names 1 tensors, the zip lacks 1, first data/kkk")
    assert len(said) == 300


def test_a_file_that_becomes_shorter_meanwhile() -> None:
    class Shrinking(Bytes):
        def pread(self, offset: int, length: int, /) -> bytes:
            return super().pread(offset, length)[: 0 if self.reads else length]

    finding = OWN.check(b"a.json", Shrinking(json.dumps({"a": 1}).encode()))
    assert finding == Finding("JSON", "it became shorter than 8 bytes while it was checked")


def test_a_disk_that_fails_is_told() -> None:
    class Failing(Bytes):
        def pread(self, offset: int, length: int, /) -> bytes:
            raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk"):
        OWN.check(b"a.json", Failing(b"{}"))
