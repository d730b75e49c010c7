"""The mark of a store's root: whoever asks for it gets an answer, whatever lies in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs.errors import StoreError
from artfs.stores.mark import MARK, Mark, check_mark, read_mark

EXPECTED = Mark("home", "/home/somebody/artfs", "default")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / MARK).parent.mkdir()
    return tmp_path


def test_nobody_waits_for_a_pipe_in_its_place(root: Path) -> None:
    os.mkfifo(root / MARK)
    with pytest.raises(StoreError, match="cannot be read"):
        read_mark(str(root))
    directory = os.open(root, os.O_RDONLY)
    try:
        with pytest.raises(StoreError, match="cannot be read"):
            check_mark(directory, str(root), EXPECTED)
    finally:
        os.close(directory)


def test_where_there_is_none_the_disk_may_not_be_mounted(root: Path) -> None:
    assert read_mark(str(root)) is None
    directory = os.open(root, os.O_RDONLY)
    try:
        with pytest.raises(StoreError, match="is its disk mounted"):
            check_mark(directory, str(root), EXPECTED)
    finally:
        os.close(directory)
