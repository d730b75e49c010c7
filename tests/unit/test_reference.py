"""docs/reference.md says what the docstrings and the commands say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import artfs

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "reference.md"


def test_the_reference_is_what_the_script_makes() -> None:
    checked = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "reference", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_every_name_that_artfs_exports_is_in_the_reference() -> None:
    headings = PAGE.read_text(encoding="utf-8").splitlines()
    assert [name for name in artfs.__all__ if f"### {name}" not in headings] == []
