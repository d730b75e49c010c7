"""What lies in the place of registered data is opened only if it is a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from artfs.stores.in_place import open_in_place


def test_a_file_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"bytes")
    with open_in_place(os.fsencode(tmp_path / "data")) as reader:
        assert (reader.size, reader.pread(1, 3)) == (5, b"yte")


def test_nothing_else_is_opened(tmp_path: Path) -> None:
    """To open a device would do something, and a FIFO would wait for a writer."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("data")
    for path, number in ((Path("/dev/null"), errno.ENXIO), (tmp_path / "fifo", errno.ENXIO), (tmp_path, errno.ENXIO),
                         (tmp_path / "link", errno.ELOOP)):  # fmt: skip
        with pytest.raises(OSError, check=lambda error, number=number: error.errno == number):
            open_in_place(os.fsencode(path))
