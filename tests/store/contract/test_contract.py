"""What every backend promises, whatever is below it and around it."""

from __future__ import annotations

import dataclasses
import errno
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artfs.errors import InvalidName, OutsideStore, PlaceExists
from artfs.stores.backend import Backend

KEY = b"iris/0123/deep/file"
OUTSIDE = [b"../root-evil/secret", b"/etc/passwd", b"a/../../root-evil/secret", b"a\0b", b"a//b"]
ODD_NAMES = [
    b"with space",
    b"100%25",
    b"#?+&=;:@",
    b"[x]*{y}",
    "ü/é".encode(),
    b"line\nbreak",
    b"\xff\xfe",
    b"~",
    b"$HOME",
]
LARGE = 9 * 2**20 + 7


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"0123456789")
    return path


def read(backend: Backend, key: bytes) -> bytes:
    with backend.open_place(key) as reader:
        return reader.pread(0, reader.size)


def keys(backend: Backend, prefix: bytes = b"") -> list[bytes]:
    return sorted(listed.key for listed in backend.list(prefix))


def test_what_was_put_is_there(backend: Backend, source: Path) -> None:
    assert backend.put(source, KEY).size == 10
    assert backend.stat(KEY).size == 10
    assert read(backend, KEY) == b"0123456789"
    assert keys(backend) == keys(backend, b"iris") == keys(backend, b"iris/0123") == [KEY]


def test_it_is_read_by_range(backend: Backend, source: Path) -> None:
    backend.put(source, KEY)
    with backend.open_place(KEY) as reader:
        assert reader.size == 10
        assert [reader.pread(*part) for part in ((3, 4), (0, 10), (8, 100), (10, 1), (50, 1), (0, 0))] == [
            b"3456", b"0123456789", b"89", b"", b"", b"",
        ]  # fmt: skip


def test_many_threads_read_one_place(backend: Backend, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(LARGE)
    (tmp_path / "large").write_bytes(content)
    backend.put(tmp_path / "large", KEY)
    starts = [random.Random(number).randrange(LARGE) for number in range(64)]
    with backend.open_place(KEY) as reader, ThreadPoolExecutor(16) as pool:
        parts = list(pool.map(lambda start: reader.pread(start, 2**20), starts))
    assert all(part == content[start : start + 2**20] for start, part in zip(starts, parts, strict=True))


def test_an_empty_object_is_one(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert backend.put(tmp_path / "empty", KEY).size == backend.stat(KEY).size == 0
    assert (read(backend, KEY), keys(backend)) == (b"", [KEY])


def test_nothing_is_overwritten(backend: Backend, source: Path, tmp_path: Path) -> None:
    backend.put(source, KEY)
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(PlaceExists):
        backend.put(tmp_path / "other", KEY)
    assert read(backend, KEY) == b"0123456789"


def test_of_several_that_put_at_once_one_does(backend: Backend, tmp_path: Path) -> None:
    if not backend.capabilities.atomic_put:
        pytest.skip("a put of this flavour is not atomic")
    contents = [str(number).encode() * 100_000 for number in range(8)]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)

    def put(number: int) -> bool:
        try:
            backend.put(tmp_path / str(number), KEY)
        except PlaceExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, done in enumerate(pool.map(put, range(8))) if done]
    assert [read(backend, KEY)] == [contents[number] for number in won]
    assert keys(backend) == [KEY]


def test_an_object_is_a_copy(backend: Backend, source: Path) -> None:
    backend.put(source, KEY)
    source.write_bytes(b"changed")
    assert read(backend, KEY) == b"0123456789"


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_what_cannot_be_read_leaves_nothing(backend: Backend, tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "directory":
        path.mkdir()
    with pytest.raises(OSError):
        backend.put(path, KEY)
    assert keys(backend) == []
    with pytest.raises(FileNotFoundError):
        backend.stat(KEY)


def test_progress_counts_every_byte(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGE))
    taken: list[int] = []
    backend.put(tmp_path / "large", KEY, taken.append)
    # A filesystem of fsspec may tell nothing.
    assert sum(taken) in (0, LARGE)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_keys_are_any_bytes(backend: Backend, source: Path, name: bytes) -> None:
    key = b"iris/" + name
    backend.put(source, key)
    assert (read(backend, key), backend.stat(key).size, keys(backend)) == (b"0123456789", 10, [key])
    backend.delete(key)
    assert keys(backend) == []


def test_a_prefix_ends_at_a_slash(backend: Backend, source: Path) -> None:
    for key in (b"iris/01/a", b"iris/01/b/c", b"iris/012/a", b"iris/0", b"irish"):
        backend.put(source, key)
    assert keys(backend, b"iris/01") == [b"iris/01/a", b"iris/01/b/c"]
    assert keys(backend, b"none") == keys(backend, b"iris/01/none") == []


def test_a_listing_may_be_long(backend: Backend, source: Path) -> None:
    wanted = sorted(b"many/%d/%d" % (number % 7, number) for number in range(1010))
    for key in wanted:
        backend.put(source, key)
    assert keys(backend, b"many") == wanted
    assert all(listed.size in (10, None) for listed in backend.list())


def test_what_is_deleted_is_gone(backend: Backend, source: Path) -> None:
    backend.put(source, KEY)
    backend.put(source, b"iris/0123/other")
    backend.delete(KEY)
    backend.delete(KEY)
    backend.delete(b"never/there")
    for look in (backend.stat, backend.open_place):
        with pytest.raises(FileNotFoundError):
            look(KEY)
    assert keys(backend) == [b"iris/0123/other"]
    backend.put(source, KEY)


def test_a_directory_is_no_object(backend: Backend, source: Path) -> None:
    backend.put(source, KEY)
    with pytest.raises(OSError), backend.open_place(b"iris/0123") as reader:
        reader.pread(0, 1)


@pytest.mark.parametrize("key", [*OUTSIDE, b""])
def test_nothing_leaves_the_root(backend: Backend, source: Path, key: bytes) -> None:
    operations: list[Callable[[bytes], object]] = [
        lambda key: backend.put(source, key), backend.open_place, backend.stat, backend.delete, backend.place_path,
    ]  # fmt: skip
    if key:
        operations.append(lambda key: list(backend.list(key)))
    for operation in operations:
        with pytest.raises((InvalidName, OutsideStore)):
            operation(key)


def test_a_root_is_made_once(backend: Backend, source: Path) -> None:
    backend.put(source, KEY)
    backend.create()
    assert keys(backend) == [KEY]


def test_what_it_can_do_is_said_and_does_not_change(backend: Backend, source: Path) -> None:
    capabilities = backend.capabilities
    assert capabilities == backend.capabilities
    assert capabilities.connections >= 1
    assert (backend.put(source, KEY).checksum is None) == (capabilities.checksum is None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        capabilities.connections = 0  # type: ignore[misc]


def test_only_what_may_pass_is_transient(backend: Backend) -> None:
    passing = [ConnectionResetError(), TimeoutError(), OSError(errno.EHOSTUNREACH, "x"), BrokenPipeError()]
    staying = [
        FileNotFoundError(),
        PermissionError(),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        PlaceExists("x"),
    ]
    assert [backend.is_transient(error) for error in passing] == [True] * len(passing)
    assert [backend.is_transient(error) for error in staying] == [False] * len(staying)
