"""What tests ask of drafts and versions on a mount that this process may touch itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.mount import MYSELF, Mount, new_base

QUIET = {
    "quiet_file_seconds": 0.2,
    "quiet_unproven_seconds": 0.2,
    "quiet_directory_seconds": 0.4,
    "quiet_living_seconds": 0.4,
    "quiet_unit_seconds": 0.2,
}
"""The program that runs the tests writes most drafts, and lives on."""
"""Settings with which a draft becomes a version by itself soon."""
NEVER_BY_ITSELF = {"quiet_file_seconds": 600, "quiet_directory_seconds": 600}
"""Settings of a mount whose drafts become versions only when somebody asks."""


def commit(path: Path, wish: bytes = b"") -> str:
    """Seals a draft and returns the version's name."""
    os.setxattr(path, "user.artfs.commit", wish)
    return os.getxattr(path, "user.artfs.version").decode()


def versions(mount: Mount, name: str) -> list[str]:
    """The versions of an artifact, oldest first."""
    artifact = mount.artifacts / name
    if not artifact.exists():
        return []
    return [entry for entry in os.listdir(artifact) if entry != "latest" and not entry.startswith("@")]


def drafts(mount: Mount) -> dict[str, dict[str, object]]:
    """What status.json says of each draft."""
    return {draft["name"]: draft for draft in mount.status()["drafts"]}


def state(mount: Mount, name: str) -> tuple[str, str]:
    """A draft's state and the reason for it, if any."""
    found = drafts(mount)[name]
    return str(found["state"]), str(found["reason"] or "")


def errors(mount: Mount) -> list[str]:
    """The errors that status.json tells."""
    return [error["message"] for error in mount.status()["errors"]["last"]]


def wait_for_version(mount: Mount, name: str, version: str) -> None:
    """Waits until a version is there."""
    mount.wait_until(lambda: (mount.artifacts / name / version).exists(), f"version {version} of {name}")


def raises(number: int) -> pytest.RaisesExc[OSError]:
    """Expects an OSError with an errno."""
    return pytest.raises(OSError, check=lambda error: error.errno == number)


def mount_for_a_module(settings: Mapping[str, float], *, expected: str | None = None) -> Iterator[Mount]:
    """A mount for all tests of a module. They fail at the end if the daemon logged a warning other than `expected`."""
    mount = Mount(new_base(MYSELF), settings=settings).mount()
    yield mount
    mount.unmount()
    bad = [line for line in mount.log().splitlines() if " WARNING " in line or " ERROR " in line]
    mount.end()
    shutil.rmtree(mount.base)
    assert [line for line in bad if expected is None or expected not in line] == []
