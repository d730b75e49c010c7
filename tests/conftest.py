"""Every test runs on loopback alone and in an artfs home of its own, and fails on a warning that it does not expect."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from artfs.workspace.current import current_workspace
from artfs.workspace.workspace import Workspace

pytest_plugins = ["pytester", "support.warning_guard", "support.mount_fixtures"]

# Cloud clients look for credentials and features on the network, some of them as early as their import.
os.environ.update(
    AWS_EC2_METADATA_DISABLED="true",
    NO_GCE_CHECK="true",
    GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT="false",
)

# A test's result hangs neither on a clock nor on chance. `--hypothesis-profile=thorough` searches longer, at random.
hypothesis.settings.register_profile(
    "default", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("default")


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: refuses connections and name look-ups that would leave this machine."""
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host and not _is_loopback(host.decode() if isinstance(host, bytes) else host):
        raise RuntimeError(f"a test tried to reach {host}: tests reach only loopback")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(_loopback_only)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a fresh artfs home, which $ARTFS_HOME names; nothing is there yet."""
    path = tmp_path / "artfs-home"
    monkeypatch.setenv("ARTFS_HOME", str(path))
    return path


@pytest.fixture
def workspace(home: Path) -> Workspace:
    """The workspace of that home which all verbs of this process use."""
    return current_workspace()
