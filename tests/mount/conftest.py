"""A mount for all tests of a module that only read, or that each use a draft of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
