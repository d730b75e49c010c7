"""Fixtures that mount: for every level of tests, through `pytest_plugins` in conftest.py."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support import faulty_daemon
from support.drafts import NEVER_BY_ITSELF
from support.mount import MYSELF, Mount, User, new_base, plain_user, remove_base
from support.warning_guard import ExpectedWarnings

FUSE_DEVICE = Path("/dev/fuse")

StartMount = Callable[..., Mount]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test marked `each_user` runs with `mounted` as both users."""
    if "mounted" in metafunc.fixturenames and metafunc.definition.get_closest_marker("each_user"):
        metafunc.parametrize("mounted", ["myself", "plain user"], indirect=True)


@pytest.fixture(scope="session")
def fuse_for_everyone() -> None:
    """Lets every user open /dev/fuse, as the system's package does; a container may have kept it to root."""
    if not FUSE_DEVICE.exists():
        pytest.fail("there is no /dev/fuse on this machine, and the mount cannot be tested without it")
    if os.geteuid() == 0 and stat.S_IMODE(FUSE_DEVICE.stat().st_mode) != 0o666:
        FUSE_DEVICE.chmod(0o666)


@pytest.fixture
def start_mount(fuse_for_everyone: None, expected_warnings: ExpectedWarnings) -> Iterator[StartMount]:
    """Makes mounts: `start_mount(user=MYSELF, options=(), environment=None, beside=None, **more)`.

    beside: another mount, whose home the new one shares. more: as for `Mount`.

    At the end they are unmounted. The test fails if a daemon ended badly or logged a warning that it does not expect.
    """
    mounts: list[Mount] = []

    def start(
        user: User = MYSELF,
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        beside: Mount | None = None,
        **more: Any,
    ) -> Mount:
        base = beside.base if beside else new_base(user)
        mount = Mount(base, user, options, environment, name=f"mnt-{len(mounts)}", **more)
        mounts.append(mount)
        return mount.mount()

    yield start
    problems = [problem for mount in mounts for problem in _end(mount, expected_warnings)]
    for base in {mount.base for mount in mounts}:
        remove_base(base)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def mounted(request: pytest.FixtureRequest, start_mount: StartMount) -> Mount:
    """A fresh mount. With the marker `each_user` the test runs a second time, as a plain user."""
    if getattr(request, "param", "myself") == "myself":
        return start_mount()
    if os.geteuid() != 0:
        pytest.skip("only root can also test as another user")
    return start_mount(plain_user())


@pytest.fixture
def mortal_mount(start_mount: StartMount, tmp_path: Path) -> Mount:
    """A mount whose daemon can be told when to die (`killed_at`), and that makes versions only when it is told to."""
    daemon = [faulty_daemon.__file__ or ""]
    environment = {faulty_daemon.VARIABLE: str(tmp_path / "fault")}
    return start_mount(settings=NEVER_BY_ITSELF, environment=environment, daemon=daemon)


def _end(mount: Mount, expected: ExpectedWarnings) -> list[str]:
    """Ends a mount and returns what went wrong in its life."""
    problems = []
    try:
        if mount.is_alive:
            mount.unmount()
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        problems.append(f"the mount did not end well: {error}")
    if unexpected := expected.unexpected_in_log(mount.log()):
        problems.append("unexpected in the daemon's log:\n" + "\n".join(unexpected))
    mount.end()
    return problems
