"""The command where a program has little: closed streams, no home directory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from artfs import save_artifact
from artfs.client import Client
from support.mount import ARTFS


@pytest.mark.parametrize("closing", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_quiet_and_harms_no_file(home: Path, closing: str) -> None:
    save_artifact(1, "x")
    for command in ("artifact list", "verify --all", "artifact update x --tag t"):
        done = subprocess.run(
            ["sh", "-c", f"exec {ARTFS} {command} {closing}"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert Client().get_artifact_version("x").load() == 1


def test_a_user_without_a_home_directory_is_told_in_a_line(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be a user that nobody knows")
    environment = {"PATH": os.environ["PATH"]}
    program = f"import os; os.setgid(12345); os.setuid(12345); os.execv({str(ARTFS)!r}, ['artfs', 'artifact', 'list'])"
    done = subprocess.run(
        ["python3", "-c", program], env=environment, capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 1
    assert done.stderr == (
        "artfs: this user has no home directory that artfs's own could be in: set ARTFS_HOME to a directory\n"
    )
