"""The service manager learns when the mount answers, and its unit is well formed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.mount import is_mounted
from support.mount_fixtures import StartMount

UNIT = Path(__file__).parents[2] / "mount" / "systemd" / "artfs@.service"


def test_a_service_is_ready_when_the_mount_answers(start_mount: StartMount, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        mount = start_mount(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000) == b"READY=1"
    assert (mount.path / "README.txt").is_file()


def test_a_stopped_service_leaves_no_mount(start_mount: StartMount) -> None:
    mount = start_mount()
    assert mount.stop(signal.SIGTERM) == 0
    assert not is_mounted(mount.path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_the_unit_is_well_formed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    command = ["systemd-analyze", "verify", "--user", "--man=no", UNIT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
