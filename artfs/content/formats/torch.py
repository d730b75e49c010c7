"""torch.save: what a whole zip of it holds, and where its legacy format ends.

torch closes a valid zip also after an exception. Then the pickle is missing, or tensors that it names.
"""

from __future__ import annotations

import contextlib
import io
import re

from artfs.content.formats.format import Broken, Format, require
from artfs.content.formats.opened import BoundedFile
from artfs.content.formats.pickles import Storage, torch_storages
from artfs.content.formats.zip import Member, data_start

ENDINGS = (b".pt", b".pth", b".ckpt", b".bin")
LONGEST_PICKLE = 2**20

_PICKLE = b"data.pkl"
_WRITTEN_LAST = re.compile(rb"[^/]+/(version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)")
_LEGACY_MAGIC = re.compile(rb"\x80[\x02-\x05](\x95.{8})?\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.", re.DOTALL)
_LEGACY_PICKLES = 5
_ITEM_SIZES = {
    **dict.fromkeys(("ByteStorage", "CharStorage", "BoolStorage", "UntypedStorage"), 1),
    **dict.fromkeys(("ShortStorage", "HalfStorage", "BFloat16Storage"), 2),
    **dict.fromkeys(("IntStorage", "FloatStorage"), 4),
    **dict.fromkeys(("LongStorage", "DoubleStorage", "ComplexFloatStorage"), 8),
    "ComplexDoubleStorage": 16,
}


def require_torch_members(name: bytes, file: BoundedFile, members: list[Member]) -> None:
    """Raise Broken if a zip is one of torch.save and lacks its pickle, or a tensor that the pickle names.

    Archives of torch.jit, torch.package and torch.export are others, with other members.
    """
    by_name = {member.name: member for member in members}
    if members and all(_WRITTEN_LAST.fullmatch(each) for each in by_name):
        is_torch = name.endswith(ENDINGS) or any(each.endswith(b"/.data/serialization_id") for each in by_name)
        if is_torch and any(each.endswith(b"/version") for each in by_name):
            raise Broken("the zip has no data.pkl: its writer was stopped before that")
    first = members[0] if members else None
    if first is None or not first.name.endswith(b"/" + _PICKLE) or first.name.count(b"/") != 1:
        return
    top = first.name.removesuffix(_PICKLE)
    if top + b"constants.pkl" in by_name:
        return
    keys = _keys(file, first)
    lacking = [key for key in keys if top + b"data/" + key.encode(errors="surrogatepass") not in by_name]
    if lacking:
        raise Broken(f"its data.pkl names {len(keys)} tensors, the zip lacks {len(lacking)}, first data/{lacking[0]}")


def _keys(file: BoundedFile, member: Member) -> list[str]:
    """The keys of the storages that a pickle in the zip names; none if that cannot be told."""
    start = data_start(file, member)
    if start is None or not member.is_stored or member.size > LONGEST_PICKLE:
        return []
    with contextlib.suppress(ValueError):
        found = torch_storages(io.BytesIO(file.pread(start, member.size)))
        return list(dict.fromkeys(storage.key for storage in found))
    return []


def _recognises(name: bytes, head: bytes) -> bool:
    return _LEGACY_MAGIC.match(head) is not None


def _examine(name: bytes, file: BoundedFile) -> bool:
    """Tensors lie one after the other behind five pickles, each with eight bytes before it. More saves may follow."""
    stream = io.BytesIO(file.pread(0, LONGEST_PICKLE))
    storages: list[Storage] = []
    try:
        for _ in range(_LEGACY_PICKLES):
            storages += torch_storages(stream)
    except ValueError:
        if file.size <= LONGEST_PICKLE and stream.tell() == file.size:
            raise Broken(f"it ends within its pickles, after {file.size} bytes") from None
        return False
    expected = stream.tell()
    for key in {storage.key for storage in storages}:
        sizes = [_bytes_of(storage) for storage in storages if storage.key == key]
        if any(size is None for size in sizes):
            return False
        expected += 8 + min(size for size in sizes if size is not None)
    require(expected, file.size, "its pickle")
    return False


def _bytes_of(storage: Storage) -> int | None:
    size = _ITEM_SIZES.get(re.split(r"[ .]", storage.type)[-1])
    return None if size is None or storage.items < 0 else size * storage.items


LEGACY_TORCH = Format("legacy torch", _recognises, _examine)
