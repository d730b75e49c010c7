"""Mounts for all tests of a module that only read, or that each use a draft of their own; and such drafts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, QUIET, commit, mount_for_a_module
from support.mount import MYSELF, Mount, new_base, remove_base


@pytest.fixture(scope="module")
def module_mount(fuse_for_everyone: None) -> Iterator[Mount]:
    mount = Mount(new_base(MYSELF)).mount()
    yield mount
    mount.unmount()
    words = [line for line in mount.log().splitlines() if " WARNING " in line or " ERROR " in line]
    mount.end()
    remove_base(mount.base)
    assert words == []


@pytest.fixture(scope="module")
def quick(fuse_for_everyone: None) -> Iterator[Mount]:
    """A mount whose drafts become versions soon."""
    yield from mount_for_a_module(QUIET)


@pytest.fixture(scope="module")
def patient(fuse_for_everyone: None) -> Iterator[Mount]:
    """A mount whose drafts become versions only when somebody asks."""
    yield from mount_for_a_module(NEVER_BY_ITSELF)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of the test's own for its draft."""
    return request.node.name.removeprefix("test_")


@pytest.fixture
def draft(patient: Mount, name: str) -> Path:
    """A directory of the test's own in `/incoming`, with one file, which is version 1."""
    path = patient.incoming / name
    path.mkdir()
    (path / "file").write_bytes(b"first")
    commit(path)
    return path


@pytest.fixture
def first(patient: Mount, name: str) -> Path:
    """The file of version 1."""
    return patient.artifacts / name / "1" / "file"
