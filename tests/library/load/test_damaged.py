"""Bytes in a store that are not what was saved: found when they are loaded, and never given out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from artfs import load_artifact, save_artifact
from artfs.artifacts import compare
from artfs.blobs import compared as checked
from artfs.errors import (
    DigestMismatch,
)
from support.sample_types import Plain
from support.stores import files_in_store


def damage(path: Path) -> None:
    """Change one byte and nothing that `stat` tells."""
    status = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, b"bytes", np.zeros(4), np.zeros(2_000_000), Plain(1), {"deep": {"array": np.ones(3)}}],
    ids=["json", "bytes", "small array", "large array", "pickle", "container"],
)
def test_a_changed_byte_fails_the_load_and_names_the_file(home: Path, value: object) -> None:
    save_artifact(value, name="n", include_visualizations=False)
    file = max(files_in_store(home), key=lambda path: path.stat().st_size)
    damage(file)
    with pytest.raises(DigestMismatch, match=file.name):
        load_artifact("n")


def test_a_large_file_is_compared_again_only_after_it_was_written_to(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "_SETTLED_NS", 0)
    compared: list[object] = []
    why_not_span = compare._why_not_span
    monkeypatch.setattr(compare, "_why_not_span", lambda *span: compared.append(span) or why_not_span(*span))
    save_artifact(np.zeros(2_000_000), name="n", include_visualizations=False)
    load_artifact("n")
    once = len(compared)
    load_artifact("n")
    assert len(compared) == once > 0
    damage(max(files_in_store(home), key=lambda path: path.stat().st_size))
    with pytest.raises(DigestMismatch, match="npy"):
        load_artifact("n")


def test_a_file_that_is_missing_or_shorter_fails_the_load_too(home: Path) -> None:
    save_artifact(b"bytes", name="n", include_visualizations=False)
    [file] = files_in_store(home)
    file.chmod(0o644)
    file.write_bytes(b"")
    with pytest.raises(DigestMismatch, match="0 bytes instead of 5"):
        load_artifact("n")
    file.unlink()
    with pytest.raises(DigestMismatch, match="No such file"):
        load_artifact("n")


def test_files_of_versions_are_read_only(home: Path) -> None:
    save_artifact(b"bytes", name="n")
    assert [path.stat().st_mode & 0o222 for path in files_in_store(home)] == [0] * len(files_in_store(home))


def test_a_version_whose_files_lie_in_several_places_loads_again_and_again(home: Path) -> None:
    save_artifact(np.zeros(5), name="zeros")
    save_artifact(np.ones(5), name="ones")
    save_artifact({"z": np.zeros(5), "o": np.ones(5)}, name="both")
    for _ in range(2):
        loaded = load_artifact("both")
        assert (loaded["z"] == 0).all()
        assert (loaded["o"] == 1).all()


def test_a_spoiled_view_is_made_again(home: Path) -> None:
    save_artifact(np.zeros(5), name="zeros")
    save_artifact({"z": np.zeros(5), "n": np.ones(5)}, name="both")
    load_artifact("both")
    [view] = (home / "cache" / "views").iterdir()
    spoiled = next(path for path in view.rglob("*.npy"))
    spoiled.unlink()
    (view / "stray").write_text("stray")
    assert (load_artifact("both")["z"] == 0).all()
    assert not (view / "stray").exists()


def test_a_second_good_copy_is_used_when_the_first_is_damaged(home: Path, tmp_path: Path) -> None:
    from artfs import register_artifact

    copy = tmp_path / "data.bin"
    copy.write_bytes(b"the same bytes")
    register_artifact(copy, name="copy")
    save_artifact(b"the same bytes", name="n", include_visualizations=False)
    damage(files_in_store(home)[0])
    assert load_artifact("n") == b"the same bytes"
