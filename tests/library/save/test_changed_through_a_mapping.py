"""Data in place that was changed through a memory mapping, which changes no times, is noticed where artfs reads it."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from artfs import load_artifact, register_artifact
from artfs.artifacts.download import download
from artfs.artifacts.load import load
from artfs.artifacts.lookup import find_version
from artfs.artifacts.verify import verify
from artfs.content.digest import BLOCK_SIZE
from artfs.errors import PlaceChanged
from artfs.materializers.base import BaseMaterializer
from artfs.stores.local.store import LocalStore
from artfs.workspace.current import current_workspace
from support.tampering import tamper

SIZE = BLOCK_SIZE + 2**20


class Reads(BaseMaterializer):
    """Gives the bytes of the only file."""

    SKIP_REGISTRATION = True

    def save(self, data: Any) -> None:
        raise NotImplementedError

    def load(self, data_type: type[Any]) -> bytes:
        (path,) = Path(self.uri).iterdir()
        return path.read_bytes()


def _await_trusted_time(path: Path) -> None:
    """Return when the change time of a file is so old that readers trust it."""
    with closing(LocalStore(str(path.parent))) as store, store.open_place(os.fsencode(path.name)) as reader:
        while reader.stamp is None:
            time.sleep(0.01)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "data" / "large.bin"


@pytest.fixture
def change(source: Path) -> Iterator[Callable[[], None]]:
    """Registers a large file all of whose pages are dirty, and changes a byte of it without a trace in its times."""
    source.parent.mkdir()
    with source.open("w+b") as file:
        file.write(os.urandom(SIZE))
        file.flush()
        with mmap.mmap(file.fileno(), SIZE) as mapped:
            for start in range(0, SIZE, mmap.PAGESIZE):
                mapped[start] = mapped[start]
            register_artifact(source.parent, "data")
            _await_trusted_time(source)
            before = source.stat()

            def act() -> None:
                mapped[SIZE - 1] ^= 1
                after = source.stat()
                assert (after.st_ctime_ns, after.st_mtime_ns) == (before.st_ctime_ns, before.st_mtime_ns)

            yield act


def test_a_value_that_artfs_reads_is_compared_each_time(change: Callable[[], None], source: Path) -> None:
    workspace = current_workspace()
    version = find_version(workspace.catalog, "data")
    assert load(workspace, version, materializer=Reads) == source.read_bytes()
    change()
    with pytest.raises(PlaceChanged):
        load(workspace, version, materializer=Reads)


def test_an_open_reader_notices_it(change: Callable[[], None]) -> None:
    workspace = current_workspace()
    row = workspace.catalog.trees.entries(find_version(workspace.catalog, "data").tree_id or 0)[0]
    assert row.digest is not None
    with workspace.blobs.open(row.digest) as reader:
        reader.read(SIZE - 10, 10)
        workspace.blobs.memory.clear()  # as later blocks would do
        change()
        with pytest.raises(PlaceChanged):
            reader.read(SIZE - 10, 10)


def test_verify_and_downloads_notice_it(change: Callable[[], None], tmp_path: Path) -> None:
    workspace = current_workspace()
    version = find_version(workspace.catalog, "data")
    assert list(verify(workspace, [version])) == []
    change()
    assert "it was changed since it was registered" in next(verify(workspace, [version])).reason
    with pytest.raises(PlaceChanged):
        download(workspace, version, tmp_path / "out")


def test_a_path_is_compared_once_and_then_looked_at(change: Callable[[], None], source: Path) -> None:
    assert load_artifact("data") == source.parent
    change()
    assert load_artifact("data") == source.parent, "its files are not read, and their times tell of no change"
    os.utime(source)
    with pytest.raises(PlaceChanged):
        load_artifact("data")


def test_a_row_does_not_make_data_in_place_a_value_of_artfs(change: Callable[[], None], home: Path) -> None:
    load_artifact("data")
    change()
    tamper(home, "UPDATE version SET materializer = 'artfs.materializers.plain.BytesMaterializer'")
    with pytest.raises(PlaceChanged):
        load_artifact("data")
