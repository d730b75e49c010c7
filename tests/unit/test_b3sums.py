"""The text of .artfs/B3SUMS is what `b3sum --check` reads."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from artfs.content.b3sums import b3sums
from artfs.content.digest import hash_bytes

AWKWARD = [b"plain", b"two words", b" edges ", b"back\\slash", b"new\nline", b"carriage\rreturn", "größe".encode()]


def test_lines_are_as_b3sum_prints_them() -> None:
    digest = hash_bytes(b"x")
    text = b3sums([(b"a/b", digest), (b"c\\d\ne", digest)]).decode()
    assert text == f"{digest.hex()}  a/b\n\\{digest.hex()}  c\\\\d\\ne\n"


def test_names_that_b3sum_cannot_express_are_left_out() -> None:
    digest = hash_bytes(b"x")
    assert b3sums([(b"\xff", digest), ("\ufffd".encode(), digest)]) == b""


@pytest.mark.skipif(shutil.which("b3sum") is None, reason="b3sum is not installed")
def test_b3sum_itself_accepts_it(tmp_path: Path) -> None:
    for name in AWKWARD:
        (tmp_path / os.fsdecode(name)).write_bytes(name)
    (tmp_path / "B3SUMS").write_bytes(b3sums((name, hash_bytes(name)) for name in AWKWARD))
    check = ["b3sum", "--check", "B3SUMS"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done
    assert done.stdout.count(b": OK") == len(AWKWARD)
    (tmp_path / "plain").write_bytes(b"other")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode != 0
