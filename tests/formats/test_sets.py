"""What the names of a directory say of files that are whole only together."""

from __future__ import annotations

import json

import pytest

from artfs.content.formats import IncompleteSet, incomplete_sets, journals, named_parts
from support.formats import Bytes


def parts(numbers: range | list[int], total: int, ending: str = "safetensors") -> list[bytes]:
    return [f"model-{number:05}-of-{total:05}.{ending}".encode() for number in numbers]


def test_sets_that_are_whole() -> None:
    assert incomplete_sets(parts(range(1, 4), 3)) == []
    assert incomplete_sets(parts(range(3), 3, "arrow")) == []
    assert incomplete_sets([b"variables.data-00000-of-00001", b"variables.index"]) == []
    assert incomplete_sets([b"model.safetensors", b"a-of-b", b"rank-1-of-2", b"x-001-of-00002"]) == []


def test_what_is_missing_is_named() -> None:
    names = parts([1, 3], 3) + parts([0], 2, "arrow") + [b"config.json"]
    assert incomplete_sets(names) == [
        IncompleteSet(2, 1, (b"model-00001-of-00002.arrow",)),
        IncompleteSet(3, 1, (b"model-00002-of-00003.safetensors",)),
    ]


def test_parts_that_may_count_from_0_or_1() -> None:
    assert incomplete_sets(parts([1], 3)) == [IncompleteSet(3, 2, ())]
    assert incomplete_sets(parts([1, 2], 3)) == [IncompleteSet(3, 1, ())]


def test_what_is_no_set() -> None:
    assert incomplete_sets(parts([7], 3)) == []
    assert incomplete_sets(parts([0, 3], 3)) == []
    assert incomplete_sets([b"epoch-10-of-00"]) == []
    assert incomplete_sets([b"chapter-01-of-12.txt", b"view-001-of-360.PNG"]) == []


def test_a_name_that_says_millions_costs_little() -> None:
    (found,) = incomplete_sets([b"a-0000001-of-9999999.bin", b"a-9999999-of-9999999.bin"])
    assert (found.total, found.lacking, len(found.missing)) == (9_999_999, 9_999_997, 10)


@pytest.mark.parametrize("name", [b"model.safetensors.index.json", b"pytorch_model.bin.index.json"])
def test_an_index_names_its_parts(name: bytes) -> None:
    index = {"metadata": {}, "weight_map": {"a": "m-1.bin", "b": "m-2.bin", "c": "m-1.bin", "d": "../m-3.bin"}}
    assert named_parts(name, Bytes(json.dumps(index).encode())) == {b"m-1.bin", b"m-2.bin"}


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"weight_map": 3}', b'{"weight_map": {"a": 3}}', b'{"weight_map"', b"[" * 10_000, b"\xff"],
)
def test_an_index_that_is_none(text: bytes) -> None:
    assert named_parts(b"model.safetensors.index.json", Bytes(text)) is None


def test_other_names_and_large_files_are_no_index() -> None:
    assert named_parts(b"config.json", Bytes(b'{"weight_map": {}}')) is None
    large = Bytes(b'{"weight_map": {}}'.ljust(2**22 + 1))
    assert named_parts(b"model.safetensors.index.json", large) is None
    assert large.read == 0


def test_a_database_and_what_lies_beside_it() -> None:
    names = {b"a.db", b"a.db-wal", b"a.db-shm", b"b.db", b"b.db-journal"}
    assert journals(b"a.db", names) == (b"a.db-wal",)
    assert journals(b"b.db", names) == (b"b.db-journal",)
    assert journals(b"c.db", names) == ()
