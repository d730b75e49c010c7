"""A mount with a store elsewhere that stalls, fails, or answers wrong: others go on, and each wait has an end."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import faulty_store
from support.drafts import NEVER_BY_ITSELF
from support.faulty_store import StoreFault
from support.mount import Mount
from support.programs import all_ended

MANY = 100
LARGE = 300_000
"""Bytes: more than is read on the event loop."""
DEADLINE = 6
"""Of the store, in seconds."""
READ = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"
SEAL = """
import sys
from pathlib import Path
from artfs.artifacts.seal import scan
from support.versions import seal
from artfs.workspace.workspace import Workspace

with Workspace.open() as workspace:
    seal(scan(Path(sys.argv[2])), workspace, sys.argv[3], store=workspace.stores.by_name(sys.argv[1]), adopt=False)
"""

pytestmark = [
    pytest.mark.expected_warnings("stamina.retry_scheduled"),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root may let the kernel keep so many reads under way everywhere"
    ),
]


class Far:
    """A store of a mount that goes wrong when it is told to. The daemon has it as a custom flavour, by its name."""

    def __init__(self, mount: Mount, control: Path) -> None:
        self.mount = mount
        self._control = control
        options = [f"class={faulty_store.CLASS}", f"control={control}", f"deadline={DEADLINE}"]
        root = f"{faulty_store.SCHEME}{mount.base}/far"
        given = [word for option in options for word in ("--option", option)]
        mount.artfs("artifact-store", "register", "far", "--flavor", "custom", "--path", root, *given)

    def seal(self, store: str, source: Path, name: str) -> None:
        """Makes a version of a folder in a store."""
        self.mount.run([sys.executable, "-c", SEAL, store, source, name])

    def goes_wrong(self, operation: str, how: str) -> None:
        StoreFault(operation, how).write(self._control)

    def is_in_order(self) -> None:
        self._control.unlink(missing_ok=True)

    def start_reading(self, path: Path) -> subprocess.Popen[bytes]:
        """A process of its own: one that waits for a page would keep this one from being ended."""
        command = [sys.executable, "-c", READ, os.fspath(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def far(start_mount: Callable[..., Mount], tmp_path: Path) -> Iterator[Far]:
    """A mount with 100 files in a store elsewhere, and some in the store of this machine."""
    path = os.pathsep.join(filter(None, [str(Path(faulty_store.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    mount = start_mount(environment={"PYTHONPATH": path}, settings=NEVER_BY_ITSELF)
    made = Far(mount, tmp_path / "control")
    for folder, count in (("far", MANY), ("near", 18)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            (tmp_path / folder / str(number)).write_bytes(b"%s %d " % (folder.encode(), number) * (LARGE // 8))
    made.seal("far", tmp_path / "far", "far")
    made.seal("default", tmp_path / "near", "near")
    yield made
    made.is_in_order()


def far_file(far: Far, number: int) -> Path:
    return far.mount.artifacts / "far/1" / str(number)


def near_is_at_speed(far: Far, numbers: range) -> None:
    """Reads of another store, names, attributes and drafts, none of which the kernel has in memory."""
    begun = time.monotonic()
    for number in numbers:
        assert (far.mount.artifacts / "near/1" / str(number)).read_bytes().startswith(b"near %d " % number)
    assert len(os.listdir(far.mount.artifacts / "far/1")) == MANY
    assert sorted(os.listdir(far.mount.artifacts)) == ["far", "near"]
    assert time.monotonic() - begun < DEADLINE, "nothing of it has waited for the store that stalls"


def answers_again(far: Far) -> None:
    """What hung comes back bit by bit; until enough of it has, the store is asked for nothing."""
    wanted = b"far 0 " * (LARGE // 8)
    read = [sys.executable, "-c", READ, far_file(far, 0)]
    far.mount.wait_until(lambda: subprocess.run(read, capture_output=True).stdout == wanted, "the store's answer")


@pytest.mark.expected_warnings("read: .*(timed out|does not answer)")
def test_a_hundred_reads_of_a_store_that_stalls_change_nothing_for_others(far: Far) -> None:
    cached = far_file(far, MANY - 1).read_bytes()
    far.goes_wrong("any", "stall")
    begun = time.monotonic()
    readers = [far.start_reading(far_file(far, number)) for number in range(MANY - 1)]
    with all_ended(*readers):
        far.mount.wait_until(lambda: far.mount.status()["open_files"] >= MANY - 1, "all files being open")
        near_is_at_speed(far, range(9))
        assert far_file(far, MANY - 1).read_bytes() == cached
        for _ in range(10):
            killed = readers.pop()
            killed.kill()
            killed.communicate()
        near_is_at_speed(far, range(9, 18))
        for reader in readers:
            output, error = reader.communicate()
            assert output == b""
            assert b"timed out" in error
    assert time.monotonic() - begun < 10 * DEADLINE
    assert "artifact store 'far' does not answer" in far.mount.log()
    far.is_in_order()
    answers_again(far)


@pytest.mark.expected_warnings("read: ")
def test_what_cannot_be_read_is_an_error_and_never_other_bytes(far: Far) -> None:
    for number, how in enumerate(("error", "transient", "short", "wrong")):
        far.goes_wrong("pread", how)
        with pytest.raises(OSError) as caught:
            far_file(far, number).read_bytes()
        assert caught.value.errno == errno.EIO, how
        near_is_at_speed(far, range(2 * number, 2 * number + 2))
        far.is_in_order()
        assert far_file(far, number).read_bytes() == b"far %d " % number * (LARGE // 8)


@pytest.mark.expected_warnings("timed out|does not answer")
def test_the_daemon_ends_in_order_while_reads_are_stuck(far: Far) -> None:
    far.goes_wrong("any", "stall")
    readers = [far.start_reading(far_file(far, number)) for number in range(20)]
    with all_ended(*readers):
        far.mount.wait_until(lambda: far.mount.status()["open_files"] >= len(readers), "all files being open")
        for reader in readers:
            assert b"timed out" in reader.communicate()[1]
    far.mount.unmount()
