"""Files that are written piece by piece are never there half, whoever is killed and whoever else writes them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artfs.content.replacing import write_in_place_of
from support.forks import forked, was_killed


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("durable", [False, True])
def test_it_is_the_new_one_with_its_mode(tmp_path: Path, directory: int, durable: bool) -> None:
    for content in ([b"one"], [b"t", b"wo"]):
        write_in_place_of(b"file", content, directory, mode=0o440, durable=durable)
        assert (tmp_path / "file").read_bytes() == b"".join(content)
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o440
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_leaves_the_one_before(tmp_path: Path, directory: int) -> None:
    def failing() -> Iterator[bytes]:
        yield b"half"
        raise OSError(5, "Input/output error")

    write_in_place_of(b"file", [b"before"], directory, mode=0o400, durable=False)
    with pytest.raises(OSError, match="Input/output error"):
        write_in_place_of(b"file", failing(), directory, mode=0o400, durable=False)
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_what_a_kill_left_is_taken_up(tmp_path: Path, directory: int, mode: int) -> None:
    def killed() -> Iterator[bytes]:
        yield b"longer than what comes then" * 100_000
        os.chmod(tmp_path / "file.new", mode)
        os.kill(os.getpid(), signal.SIGKILL)

    child = forked(lambda: write_in_place_of(b"file", killed(), directory, mode=0o400, durable=False))
    assert was_killed(child)
    assert os.listdir(tmp_path) == ["file.new"]
    write_in_place_of(b"file", [b"whole"], directory, mode=0o400, durable=False)
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"whole"


def test_several_may_write_it_at_once(tmp_path: Path, directory: int) -> None:
    def write(number: int) -> None:
        write_in_place_of(b"file", [b"%d" % number] * 1000, directory, mode=0o400, durable=False)
        content = (tmp_path / "file").read_bytes()
        assert content == content[:1] * 1000

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [number % 10 for number in range(400)]))
    assert os.listdir(tmp_path) == ["file"]
