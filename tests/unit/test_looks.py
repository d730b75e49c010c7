"""What a look at all that is to become a version says of whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from artfs.artifacts.scan import scan
from artfs_mount.incoming.looks import faults

INDEX = json.dumps({"weight_map": {"a": "part-a.bin", "b": "part-b.bin"}}).encode()

LACKING = {
    "an index and one of two parts": (
        {"m.bin.index.json": INDEX, "part-a.bin": b"x"},
        "it names part-b.bin, which",
    ),
    "one of a numbered set": ({"data-00001-of-00002.parquet2": b"x"}, "1 of 2 parts are missing"),
    "a checkpoint without its marker": ({"__0_0.distcp": b"x"}, "its .metadata is missing"),
    "an empty file that never is": ({"model.safetensors": b"", "a": b"x"}, "it is empty"),
}


def found(directory: Path, files: dict[str, bytes]) -> list[str]:
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return [str(look.fault) for look in faults(scan(directory), b"run", set(), None)]


@pytest.mark.parametrize("case", LACKING)
def test_what_lacks_something_says_what(tmp_path: Path, case: str) -> None:
    files, fault = LACKING[case]
    [told] = found(tmp_path, files)
    assert fault in told


def test_what_has_all_that_it_names_is_whole(tmp_path: Path) -> None:
    assert found(tmp_path, {"m.bin.index.json": INDEX, "part-a.bin": b"x", "part-b.bin": b"x"}) == []
