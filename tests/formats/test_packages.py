"""Format checks that installed packages bring."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from artfs.content.formats import Finding, FormatChecks
from support.formats import Bytes
from support.installed import install

TILES = """
from artfs.content.formats import Finding

def check_tiles(name, file):
    if file.pread(0, 4) != b"TILE":
        return None
    expected = 8 + int.from_bytes(file.pread(4, 4), "little")
    if file.size < expected:
        return Finding("tiles", f"its header says {expected} bytes, {file.size} are there")
    return Finding("tiles", proves_end=file.size == expected)

def raises(name, file):
    raise RuntimeError("no such thing")

def reads_all(name, file):
    return Finding("all", str(file.pread(0, file.size)))

def returns_text(name, file):
    return "whole"

number = 7
"""


def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> FormatChecks:
    lines = "".join(f"{name} = tiles.support:{name}\n" for name in names)
    site = install(tmp_path / "site", "tiles", {"support.py": TILES}, f"[artfs.formats]\n{lines}")
    monkeypatch.syspath_prepend(str(site))
    for loaded in ("tiles", "tiles.support"):
        monkeypatch.delitem(sys.modules, loaded, raising=False)
    return FormatChecks()


def test_an_installed_check_knows_its_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = checks(tmp_path, monkeypatch, "check_tiles")
    assert asked.check(b"a.tiles", Bytes(b"TILE\x03\0\0\0abc")) == Finding("tiles", None, proves_end=True)
    assert asked.check(b"a.tiles", Bytes(b"TILE\x03\0\0\0ab")) == Finding(
        "tiles", "its header says 11 bytes, 10 are there"
    )
    assert asked.check(b"a.json", Bytes(b'{"a"')) == Finding("JSON", "its text ends within a value, after 4 bytes")


@pytest.mark.parametrize("name", ["raises", "returns_text", "number", "not_there", "reads_all"])
@pytest.mark.expected_warnings("the format check")
def test_a_check_that_fails_is_told_once_and_stops_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = checks(tmp_path, monkeypatch, name, "check_tiles")
    large = b"TILE" + bytes(2**23)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert asked.check(b"a.tiles", Bytes(large)) == Finding("tiles")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"the format check '{name}' of artfs.formats is left out: ")


def test_nothing_is_imported_until_a_file_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = checks(tmp_path, monkeypatch, "check_tiles")
    assert "tiles.support" not in sys.modules
    assert asked.check(b"a", Bytes(b"")) is None
    assert "tiles.support" not in sys.modules
    assert asked.check(b"a", Bytes(b"x")) is None
    assert "tiles.support" in sys.modules


def test_checks_are_light() -> None:
    """Nothing that made a file is needed to check it, and nothing is loaded before a file needs it."""
    code = (
        "import sys\n"
        "import artfs.content.formats as formats\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'pickle', 'pickletools', 'h5py', 'sqlite3', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
