"""Inode numbers of the mount: 64 bits that say what they stand for.

The top byte is the kind, the other 56 bits its payload: row ids of the catalog, or a hash. So nothing has to be
remembered to answer for a number that the kernel asks about, however many files were ever listed.
Kinds stay below 0x80, so that a number is never negative for programs that keep it in a signed 64-bit integer.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final

PAYLOAD_BITS: Final = 56
PAYLOAD_MASK: Final = (1 << PAYLOAD_BITS) - 1
ORDINAL_BITS: Final = 26
TAG_BITS: Final = 28
WHICH_BITS: Final = 8
HASH_BITS: Final = 24
MARK_BITS: Final = 20
LINK_BITS: Final = 48


class InodeKind(IntEnum):
    """What an inode number stands for, with its payload."""

    FIXED = 0x00
    """One of `Fixed`."""
    ARTIFACT = 0x01
    """`/artifacts/<name>`: artifact id."""
    VERSION_ENTRY = 0x02
    """Anything inside a version: version id << 26 | its ordinal in preorder, each name counted (the root is 0)."""
    LATEST = 0x05
    """`/artifacts/<name>/latest`: artifact id."""
    TAG_LINK = 0x06
    """`/artifacts/<name>/@<tag>`: artifact id << 28 | tag id."""
    DOT_ARTFS = 0x07
    """The `.artfs` directory of a version: version id."""
    TEXT = 0x08
    """A generated file that may change: hash of path and content."""
    VERSION_TEXT = 0x09
    """A generated file that follows from the version alone: version id << 8 | which one."""
    VISUALIZATIONS = 0x0A
    """`.artfs/visualizations` of a version: version id."""
    VISUALIZATION = 0x0B
    """A file in `.artfs/visualizations`: version id << 24 | hash of name and content."""
    ORDER = 0x0C
    """`/.artfs/orders/<anything>`: hash of the name."""
    INCOMING = 0x10
    """Below `/incoming`: a number that the daemon gives out."""
    PIPELINE = 0x20
    """`/runs/<pipeline>`: pipeline id."""
    RUN_LATEST = 0x21
    """`/runs/<pipeline>/latest`: pipeline id."""
    RUN = 0x22
    """`/runs/<pipeline>/<run>`: run id."""
    STEPS = 0x23
    """`steps` of a run: run id."""
    STEP = 0x24
    """`steps/<step>` of a run: step run id."""
    INPUTS = 0x25
    """`inputs` of a step run: step run id."""
    OUTPUTS = 0x26
    """`outputs` of a step run: step run id."""
    LINEAGE_ARTIFACT = 0x28
    """`/lineage/<name>`: artifact id."""
    LINEAGE_NODE = 0x29
    """`/lineage/<name>/<version>`: version id."""
    RELATED = 0x2A
    """A directory of links in a lineage node: version id << 8 | which one."""
    TAG = 0x2B
    """`/tags/<tag>`: tag id."""
    MODEL = 0x2C
    """`/models/<name>`: model id."""
    MODEL_VERSION = 0x2D
    """`/models/<name>/<version>`: row id of the model's version."""
    MODEL_STAGE = 0x2E
    """`/models/<name>/<stage>`: model id << 8 | which stage."""
    VERSION_LINK = 0x30
    """A link to a version: how many directories it goes up << 48 | version id. The same wherever it goes up as many."""
    STEP_LINK = 0x31
    """A link to a step run: how many directories it goes up << 48 | step run id."""
    LINEAGE_LINK = 0x32
    """`upstream/<name>@<version>`, from one lineage node to another: version id."""
    RUN_PAGE = 0x38
    """A generated file of a run: run id << 24 | which one << 20 | hash of its content."""
    STEP_PAGE = 0x39
    """A generated file of a step run: step run id << 24 | which one << 20 | hash of its content."""
    STEP_LOG = 0x3B
    """`log.txt` of a step run: step run id << 24 | hash of its size and mtime."""
    LINEAGE_PAGE = 0x3A
    """A generated file of a lineage node: version id << 24 | which one << 20 | hash of its content."""


class Fixed(IntEnum):
    """Inode numbers of what every mount has. The root must be 1: the kernel asks for it by that number."""

    ROOT = 1
    README = 2
    ARTIFACTS = 3
    INCOMING = 4
    RUNS = 5
    LINEAGE = 6
    TAGS = 7
    DOT_ARTFS = 8
    ORDERS = 9
    MODELS = 10


INCOMING_ROOT: Final = int(Fixed.INCOMING)
"""The inode number of `/incoming` itself."""


def pack(kind: InodeKind, payload: int) -> int:
    """The inode number of a payload.

    Raises:
        OSError: EOVERFLOW, the payload needs more than 56 bits.
    """
    _check(payload, PAYLOAD_BITS, kind)
    return kind << PAYLOAD_BITS | payload


def unpack(ino: int) -> tuple[int, int]:
    """Kind byte and payload of an inode number. The byte may be one that `InodeKind` does not know."""
    return ino >> PAYLOAD_BITS, ino & PAYLOAD_MASK


def pack_pair(kind: InodeKind, first: int, second: int, second_bits: int) -> int:
    """The inode number of two numbers, the second in the low `second_bits` bits.

    Raises:
        OSError: EOVERFLOW, one of them needs more bits than there are.
    """
    _check(first, PAYLOAD_BITS - second_bits, kind)
    _check(second, second_bits, kind)
    return kind << PAYLOAD_BITS | first << second_bits | second


def unpack_pair(payload: int, second_bits: int) -> tuple[int, int]:
    """The two numbers of a payload made by `pack_pair`."""
    return payload >> second_bits, payload & (1 << second_bits) - 1


def version_entry(version_id: int, ordinal: int) -> int:
    """The inode number of something inside a version (67 million entries a version, 1.07 thousand million versions)."""
    return pack_pair(InodeKind.VERSION_ENTRY, version_id, ordinal, ORDINAL_BITS)


def version_of(ino: int) -> int:
    """The version that something inside a version is in."""
    return unpack_pair(unpack(ino)[1], ORDINAL_BITS)[0]


def tag_link(artifact_id: int, tag_id: int) -> int:
    """The inode number of `/artifacts/<name>/@<tag>`."""
    return pack_pair(InodeKind.TAG_LINK, artifact_id, tag_id, TAG_BITS)


def visualization(version_id: int, digest: bytes) -> int:
    """The inode number of a visualization, of whose digest it takes the first bits."""
    return pack_pair(InodeKind.VISUALIZATION, version_id, int.from_bytes(digest[: HASH_BITS // 8], "big"), HASH_BITS)


def page(kind: InodeKind, owner_id: int, which: int, mark: int) -> int:
    """The inode number of a generated file of something with a row id.

    The mark follows from the content: the kernel keeps the pages of an inode for as long as it knows it, so other
    content must be another inode.
    """
    return pack_pair(kind, owner_id, which << MARK_BITS | mark, HASH_BITS)


def link(kind: InodeKind, ups: int, target_id: int) -> int:
    """The inode number of a link that goes so many directories up, and from the top down to something with a row id."""
    return pack_pair(kind, ups, target_id, LINK_BITS)


def incoming_inode(number: int) -> int:
    """The inode number of something below `/incoming`."""
    return pack(InodeKind.INCOMING, number)


def version_text(version_id: int, which: int) -> int:
    """The inode number of a generated file that follows from the version alone."""
    return pack_pair(InodeKind.VERSION_TEXT, version_id, which, WHICH_BITS)


def _check(number: int, bits: int, kind: InodeKind) -> None:
    if not 0 <= number < 1 << bits:
        raise OSError(
            errno.EOVERFLOW, f"there is no inode number for {kind.name} {number}: it needs more than {bits} bits"
        )
