"""Pickles, joblib's among them, and the storages that torch's pickles name.

A pickle ends with STOP, and so does a joblib file with arrays in the midst of it. Pickles may follow each other: none
proves its end. One without a protocol (0 and 1), or that something has compressed, is not known as a pickle.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

from artfs.content.formats.format import Broken, Format
from artfs.content.formats.opened import BoundedFile

ENDINGS = (b".pkl", b".pickle", b".joblib", b".dill", b".cloudpickle", b".pt", b".pth", b".ckpt")
MOST_OPCODES = 200_000

_STOP = b"."
_FRAME = 0x95
_FRAME_HEAD = 9


def require_first_frame(file: BoundedFile, at: int) -> None:
    """Raise Broken if the pickle that begins at `at` has a first frame that is longer than what is there."""
    head = file.pread(at, 2 + _FRAME_HEAD)
    if len(head) == 2 + _FRAME_HEAD and head[0] == 0x80 and head[2] == _FRAME:
        length = int.from_bytes(head[3:], "little")
        there = file.size - at - len(head)
        if length > there:
            raise Broken(f"its pickle's first frame says {length} bytes, {there} are there")


def _recognises(name: bytes, head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5 and name.endswith(ENDINGS)


def _examine(name: bytes, file: BoundedFile) -> bool:
    require_first_frame(file, 0)
    if file.end(1) != _STOP:
        raise Broken("it does not end as a pickle does, with STOP")
    return False


PICKLE = Format("pickle", _recognises, _examine)


class Storage(NamedTuple):
    """A tensor's memory as torch's pickles name it: its key, the name of its type, and how many items it has."""

    key: str
    type: str
    items: int


def torch_storages(stream: io.BytesIO) -> list[Storage]:
    """Return the storages that the next pickle of a stream names, some more than once, and go to its end.

    Nothing is loaded: of what opcodes do, only as much is followed as makes up the id of a storage. Raises ValueError
    if it is no pickle, is not whole, or has too many opcodes to look at all.
    """
    try:
        return _torch_storages(stream)
    except (OverflowError, Warning) as error:  # a text with an escape that is none warns
        raise ValueError(str(error)) from None


def _torch_storages(stream: io.BytesIO) -> list[Storage]:
    import pickletools  # here: it has a large table, which few files need

    found: list[Storage] = []
    memo: dict[int, Any] = {}
    pushed: list[Any] = []  # since the last MARK
    made: list[Any] = []  # the last tuple that began with a MARK
    for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if number == MOST_OPCODES:
            raise ValueError("too many opcodes")
        match opcode.name:
            case "MARK":
                pushed = []
            case "TUPLE":
                made, pushed = pushed, []
            case "BINPERSID":
                found += _storage(made)
            case "STACK_GLOBAL":
                pushed[-2:] = [" ".join(map(str, pushed[-2:]))]
            case "BINPUT" | "LONG_BINPUT":
                memo[int(argument or 0)] = pushed[-1] if pushed else None
            case "MEMOIZE":
                memo[len(memo)] = pushed[-1] if pushed else None
            case "BINGET" | "LONG_BINGET":
                pushed.append(memo.get(int(argument or 0)))
            case "FRAME":
                pass
            case _:
                pushed.append(argument)
    return found


def _storage(identity: list[Any]) -> list[Storage]:
    """What a persistent id says: ("storage", type, key, device, items), and in legacy files one more."""
    if len(identity) not in (5, 6):
        return []
    kind, type_name, key, _, items, *_ = identity
    known = isinstance(type_name, str) and isinstance(key, str) and isinstance(items, int)
    return [Storage(key, type_name, items)] if kind == "storage" and known else []
