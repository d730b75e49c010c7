"""One mount for all writers of a session, in which each has drafts of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.campaign import SETTINGS, Campaign
from support.drafts import mount_for_a_module
from support.mount import Mount


@pytest.fixture(scope="session")
def shared_mount(fuse_for_everyone: None) -> Iterator[Mount]:
    """A mount whose drafts become versions soon, but not while their writers live."""
    yield from mount_for_a_module(SETTINGS)


@pytest.fixture(scope="session")
def campaign(shared_mount: Mount) -> Campaign:
    """Writers in that mount."""
    return Campaign.begin(shared_mount)
