"""Whatever goes wrong below a handler, that one call fails with EIO, and the mount lives on."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyfuse3
import pytest

from artfs_mount.fuse.operations import Operations
from support.drafts import commit, errors, raises, state, versions
from support.faulty_mount import FaultyMount
from support.mount import MYSELF, new_base

QUIET = {
    "quiet_file_seconds": 600,
    "quiet_directory_seconds": 0.2,
    "quiet_living_seconds": 0.2,
    "quiet_unit_seconds": 0.2,
}

Call = Callable[[Path], object]


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[FaultyMount]:
    mount = FaultyMount(new_base(MYSELF), QUIET)
    mount.mount()
    yield mount
    mount.unmount()
    wrong = [line for line in mount.log().splitlines() if " ERROR " in line and "failed" not in line]
    shutil.rmtree(mount.base)
    assert wrong == []


@pytest.fixture
def draft(mount: FaultyMount, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A draft with a bit of everything, of which the kernel knows all. The daemon is in order, and must live on."""
    pid = mount.pid
    path = mount.incoming / f".{request.node.name.removeprefix('test_').replace('/', ' ')}"
    (path / "directory").mkdir(parents=True)
    (path / "file").write_bytes(b"content")
    os.setxattr(path / "file", "user.mine", b"1")
    (path / "link").symlink_to("file")
    for name in os.listdir(path):
        os.lstat(path / name)
    yield path
    mount.put_in_order()
    assert mount.pid == pid


def _open_and(act: Callable[[int], object], flags: int = os.O_RDWR) -> Call:
    def call(draft: Path) -> None:
        descriptor = os.open(draft / "file", flags)
        try:
            act(descriptor)
        finally:
            os.close(descriptor)

    return call


def _in_directory(act: Callable[[int], object]) -> Call:
    def call(draft: Path) -> None:
        descriptor = os.open(draft / "directory", os.O_RDONLY)
        try:
            act(descriptor)
        finally:
            os.close(descriptor)

    return call


def _write(draft: Path) -> None:
    with open(draft / "file", "r+b", buffering=0) as file:
        file.write(b"more")
        os.fsync(file.fileno())


def _read(draft: Path) -> None:
    """Past the kernel's memory of the file, which it fills for itself while a file is written."""
    descriptor = os.open(draft / "file", os.O_RDONLY | os.O_DIRECT)
    try:
        os.read(descriptor, 10)
    finally:
        os.close(descriptor)


def _fstat(draft: Path) -> None:
    """Of a directory whose attributes the kernel has just forgotten."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        subprocess.run(["touch", draft / "touched"], check=True)
        os.fstat(descriptor)
    finally:
        os.close(descriptor)


HANDLERS: dict[str, tuple[str, Call]] = {
    "lookup": ("Inodes.lookup", lambda draft: os.lstat(draft / "never seen")),
    "getattr": ("Inodes.attributes", _fstat),
    "readlink": ("Namespace.read_link", lambda draft: os.readlink(draft / "link")),
    "setattr": ("FileAttributes.change", lambda draft: os.chmod(draft / "file", 0o600)),
    "statfs": ("os.statvfs", os.statvfs),
    "opendir": ("Handles.add", lambda draft: os.listdir(draft / "directory")),
    "readdir": ("Inodes.names", lambda draft: os.listdir(draft / "directory")),
    "mkdir": ("Namespace.make_directory", lambda draft: os.mkdir(draft / "new")),
    "rmdir": ("Namespace.remove_directory", lambda draft: os.rmdir(draft / "directory")),
    "unlink": ("Namespace.remove", lambda draft: os.unlink(draft / "file")),
    "symlink": ("Namespace.make_link", lambda draft: os.symlink("target", draft / "new")),
    "mknod": ("Namespace.make_special", lambda draft: os.mkfifo(draft / "new")),
    "link": ("Namespace.hard_link", lambda draft: os.link(draft / "file", draft / "new")),
    "rename": ("Namespace.rename", lambda draft: os.rename(draft / "file", draft / "new")),
    "create": ("Namespace.make_file", lambda draft: (draft / "new").touch()),
    "open": ("Contents.open", lambda draft: (draft / "file").read_bytes()),
    "read": ("DraftHandle.read", _read),
    "write": ("DraftHandle.write", _write),
    "fsync": ("Contents.sync", _open_and(os.fsync)),
    "fsyncdir": ("Namespace.sync_directory", _in_directory(os.fsync)),
    "getxattr": ("FileAttributes.get_attribute", lambda draft: os.getxattr(draft / "file", "user.mine")),
    "listxattr": ("FileAttributes.list_attributes", lambda draft: os.listxattr(draft / "file")),
    "setxattr": ("FileAttributes.set_attribute", lambda draft: os.setxattr(draft / "file", "user.new", b"")),
    "removexattr": ("FileAttributes.remove_attribute", lambda draft: os.removexattr(draft / "file", "user.mine")),
}

UNANSWERED: dict[str, tuple[str, Call]] = {
    "release": ("Contents.close", lambda draft: (draft / "file").read_bytes()),
    "releasedir": ("Handles.close", lambda draft: os.listdir(draft / "directory")),
    "forget": ("Inodes.forget", lambda draft: os.unlink(draft / "file")),
}
"""Nobody waits for their answer, so that no call can fail."""

NOTHING_CAN_FAIL = {"flush"}


def test_every_handler_is_here() -> None:
    handlers = {
        name for name in vars(Operations) if callable(getattr(pyfuse3.Operations, name, None)) and name[0] != "_"
    }
    assert handlers == HANDLERS.keys() | UNANSWERED.keys() | NOTHING_CAN_FAIL


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_call_fails_and_the_mount_lives(mount: FaultyMount, draft: Path, handler: str) -> None:
    part, call = HANDLERS[handler]
    mount.put_out_of_order(part)
    with raises(errno.EIO):
        call(draft)
    mount.put_in_order()
    assert f"Injected: injected into {part}" in errors(mount)
    if handler == "lookup":
        with raises(errno.ENOENT):
            call(draft)
    else:
        call(draft)


@pytest.mark.parametrize("handler", UNANSWERED)
def test_nobody_is_told_and_the_mount_lives(mount: FaultyMount, draft: Path, handler: str) -> None:
    part, call = UNANSWERED[handler]
    mount.put_out_of_order(part)
    call(draft)
    mount.wait_until(lambda: f"Injected: injected into {part}" in mount.log(), "the error in the log")
    mount.put_in_order()
    assert f"Injected: injected into {part}" in errors(mount)


@pytest.mark.parametrize(
    "part", ["DraftCommit.snapshot", "DraftCommit.commit", "make", "LocalStore.place", "Versions.create"]
)
class TestSealing:
    def test_a_commit_fails_and_nothing_is_left_of_it(self, mount: FaultyMount, part: str) -> None:
        name = f"commit {part}"
        path = mount.incoming / name
        path.mkdir()
        (path / "file").write_bytes(part.encode())
        mount.put_out_of_order(part)
        with raises(errno.EIO):
            commit(path)
        assert versions(mount, name) == []
        assert list(mount.home.glob(f"store/{name}/*")) + list(mount.home.glob("mounts/*/scratch/*")) == []
        assert (path / "file").read_bytes() == part.encode()
        mount.put_in_order()
        assert commit(path) == "1"

    def test_a_quiet_draft_is_held(self, mount: FaultyMount, part: str) -> None:
        name = f"quiet {part}"
        mount.put_out_of_order(part)
        (mount.incoming / name).mkdir()
        (mount.incoming / name / "file").write_bytes(name.encode())
        mount.wait_until(lambda: state(mount, name)[0] == "held", "the draft being held")
        assert state(mount, name)[1] == (
            f"{name}: sealing failed unexpectedly (injected into {part}); see the daemon's log"
        )
        mount.put_in_order()
        (mount.incoming / name / "more").touch()
        mount.wait_until(lambda: versions(mount, name) == ["1"], "the version")


@pytest.mark.parametrize(
    ("error", "number"), [("PanicException", errno.EIO), ("SystemExit", errno.EIO), ("MemoryError", errno.ENOMEM)]
)
def test_whatever_is_raised_the_mount_lives(mount: FaultyMount, draft: Path, error: str, number: int) -> None:
    for handler in ("lookup", "fsync", "readdir", "setattr"):
        part, call = HANDLERS[handler]
        mount.put_out_of_order(part, error=error)
        with raises(number):
            call(draft)
    part, call = UNANSWERED["forget"]
    mount.put_out_of_order(part, error=error)
    call(draft)
    mount.wait_until(lambda: f"{error}: injected into {part}" in mount.log(), "the error in the log")


def test_one_part_of_the_status_that_fails_hides_no_other(mount: FaultyMount, draft: Path) -> None:
    mount.put_out_of_order("Handles.__len__")
    status = mount.status()
    assert status["cannot_be_told"] == {"open_files": "Injected: injected into Handles.__len__"}
    assert "open_files" not in status
    assert draft.name in {told["name"] for told in status["drafts"]}
    mount.put_in_order()
    assert "cannot_be_told" not in mount.status()


def test_a_digest_that_cannot_be_made_beside_the_writing_is_made_afterwards(mount: FaultyMount) -> None:
    content = os.urandom(3_000_000)
    path = mount.incoming / "hashed afterwards"
    path.mkdir()
    mount.put_out_of_order("SequentialHasher.write", call=2, error="PanicException")
    with (path / "file").open("wb", buffering=0) as file:
        for start in range(0, len(content), 500_000):
            file.write(content[start : start + 500_000])
    mount.put_in_order()
    assert "hashing beside the writing failed" in mount.log()
    version = commit(path)
    assert (mount.artifacts / path.name / version / "file").read_bytes() == content
    mount.artfs("verify", f"{path.name}/{version}")


def test_looking_after_the_drafts_goes_on(mount: FaultyMount) -> None:
    mount.put_out_of_order("Incoming.decision")
    (mount.incoming / "looked after").mkdir()
    (mount.incoming / "looked after" / "file").write_bytes(b"content")
    mount.wait_until(lambda: "background work 'watch' failed" in mount.log(), "the failure")
    mount.put_in_order()
    mount.wait_until(lambda: versions(mount, "looked after") == ["1"], "the version")


def test_a_draft_that_cannot_be_looked_at_is_held_and_stops_no_other(mount: FaultyMount) -> None:
    for name in ("ill", "well"):
        (mount.incoming / name).mkdir()
        (mount.incoming / name / "file").write_bytes(name.encode())
    mount.put_out_of_order("Incoming.kind", error="OSError")
    assert state(mount, "ill") == ("held", "ill cannot be looked at: injected into Incoming.kind; is its disk well?")
    mount.put_in_order()
    mount.wait_until(lambda: versions(mount, "ill") == versions(mount, "well") == ["1"], "the versions")


def test_a_version_whose_files_could_not_be_replaced_is_safe_from_its_draft(mount: FaultyMount) -> None:
    """Some of its files still share their bytes with the version: nothing may be changed before the next mount."""
    path = mount.incoming / "half"
    path.mkdir()
    contents = {str(number): os.urandom(100) for number in range(10)}
    for name, content in contents.items():
        (path / name).write_bytes(content)
    mount.put_out_of_order("Stub.put", call=5)
    with raises(errno.EIO):
        commit(path)
    mount.put_in_order()
    assert versions(mount, "half") == ["1"]
    assert state(mount, "half") == (
        "held",
        "half: it is version 1, but can be changed only after the next mount (injected into Stub.put)",
    )
    for name, content in contents.items():
        assert (path / name).read_bytes() == content
        for change in (os.unlink, lambda file: os.chmod(file, 0o600), lambda file: open(file, "r+b").close()):
            with raises(errno.EIO):
                change(path / name)
    with raises(errno.EBUSY):
        commit(path)
    mount.unmount()
    mount.remount()
    for name in contents:
        (path / name).write_bytes(b"changed")
    assert {file.name: file.read_bytes() for file in (mount.artifacts / "half" / "1").iterdir()} == contents
    assert commit(path) == "2"


def test_nobody_waits_longer_than_the_deadline_for_a_commit(mount: FaultyMount) -> None:
    path = mount.incoming / ".slow"
    path.mkdir()
    (path / "file").write_bytes(b"content")
    mount.put_out_of_order("DraftCommit.commit", hang=True)
    with ThreadPoolExecutor(1) as programs:
        version = programs.submit(commit, path, b'{"version": "1"}')
        try:
            mount.wait_until(lambda: _refused(path), "the commit being under way")
            assert (path / "file").read_bytes() == b"content"
        finally:
            mount.put_in_order()
        assert version.result() == "1"
    (path / "file").chmod(0o600)


def _refused(path: Path) -> bool:
    try:
        os.utime(path / "file")
    except TimeoutError:
        return True
    return False
