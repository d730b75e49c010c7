"""An inode number says what it stands for, and two things never share one by accident."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs_mount.tree import inode
from artfs_mount.tree.inode import Fixed, InodeKind

kinds = st.sampled_from(InodeKind)
payloads = st.integers(0, 2**56 - 1)
version_ids = st.integers(0, 2**30 - 1)
ordinals = st.integers(0, 2**26 - 1)


@given(kinds, payloads)
def test_kind_and_payload_come_back(kind: InodeKind, payload: int) -> None:
    assert inode.unpack(inode.pack(kind, payload)) == (kind, payload)


@given(kinds, payloads)
def test_numbers_are_positive_in_63_bits(kind: InodeKind, payload: int) -> None:
    assert 0 <= inode.pack(kind, payload) < 2**63


@given(version_ids, ordinals)
def test_version_and_ordinal_come_back(version_id: int, ordinal: int) -> None:
    number = inode.version_entry(version_id, ordinal)
    kind, payload = inode.unpack(number)
    assert kind == InodeKind.VERSION_ENTRY
    assert inode.version_of(number) == version_id
    assert inode.unpack_pair(payload, inode.ORDINAL_BITS) == (version_id, ordinal)


@given(st.integers(0, 2**28 - 1), st.integers(0, 2**28 - 1))
def test_artifact_and_tag_come_back(artifact_id: int, tag_id: int) -> None:
    kind, payload = inode.unpack(inode.tag_link(artifact_id, tag_id))
    assert kind == InodeKind.TAG_LINK
    assert inode.unpack_pair(payload, inode.TAG_BITS) == (artifact_id, tag_id)


@given(st.tuples(kinds, payloads), st.tuples(kinds, payloads))
def test_different_things_have_different_numbers(one: tuple[InodeKind, int], other: tuple[InodeKind, int]) -> None:
    assert (inode.pack(*one) == inode.pack(*other)) == (one == other)


def test_the_root_has_the_number_that_the_kernel_asks_for() -> None:
    assert inode.pack(InodeKind.FIXED, Fixed.ROOT) == 1


@pytest.mark.parametrize(
    ("version_id", "ordinal"), [(2**30, 0), (0, 2**26), (-1, 0), (0, -1)], ids=["version", "ordinal", "-v", "-o"]
)
def test_what_does_not_fit_is_an_error_and_not_another_number(version_id: int, ordinal: int) -> None:
    with pytest.raises(OSError) as caught:
        inode.version_entry(version_id, ordinal)
    assert caught.value.errno == errno.EOVERFLOW


def test_numbers_below_incoming_are_told_by_their_kind() -> None:
    assert inode.unpack(inode.incoming_inode(12345)) == (InodeKind.INCOMING, 12345)
    assert inode.INCOMING_ROOT == Fixed.INCOMING
