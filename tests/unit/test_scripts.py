"""Every script tells what it is for in a bare checkout, where nothing is installed yet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The scripts of a checkout without `.venv`."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "scripts"


def _help(script: Path) -> subprocess.CompletedProcess[str]:
    is_python = b"python" in script.read_bytes().split(b"\n", 1)[0]
    # -S: nothing but Python's own library, as on a machine on which nothing was installed.
    command = [Path(sys.base_prefix) / "bin" / "python3", "-S", script] if is_python else ["bash", script]
    return subprocess.run(
        [*command, "--help"], capture_output=True, text=True, timeout=60, cwd="/", env={"PATH": "/usr/bin:/bin"}
    )


@pytest.mark.parametrize(
    "name", sorted(each.name for each in SCRIPTS.iterdir() if each.is_file() and each.stat().st_mode & 0o111)
)
def test_each_script_has_help_in_a_bare_checkout(bare: Path, name: str) -> None:
    shown = _help(bare / name)
    text = shown.stdout + shown.stderr
    assert "Traceback" not in text
    assert f"scripts/{name}" in text
    assert not (bare.parent / ".venv").exists()
    assert shown.returncode == 0 or "run ./scripts/setup --dev" in text
