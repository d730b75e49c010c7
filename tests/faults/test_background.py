"""Whatever fails beside the requests, the daemon goes on, the mount answers, and status.json counts it."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artfs.artifacts.save import save
from artfs.transfers.pending import owe_copy
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming.control import SYNC
from artfs_mount.loop.supervisor import Work
from support.drafts import commit, versions
from support.faulty_mount import FaultyMount
from support.mount import MYSELF, new_base, remove_base
from support.pidfds import ENDED, watched_by
from support.transfers import is_whole_in, local_store

MOUNT = Path(__file__).parents[2] / "mount" / "artfs_mount"
QUIET = {"quiet_file_seconds": 0.1, "quiet_unproven_seconds": 0.1, "quiet_directory_seconds": 600}
BLOCK = 4 * 2**20
ERRORS = ["Injected", "PanicException", "SystemExit", "MemoryError"]

Goes = Callable[[], bool]


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[FaultyMount]:
    mount = FaultyMount(new_base(MYSELF), QUIET)
    mount.mount()
    yield mount
    mount.unmount()
    wrong = [line for line in mount.log().splitlines() if " ERROR " in line and "background work" not in line]
    remove_base(mount.base)
    assert [line for line in wrong if "section 'drafts' failed" not in line] == []


def await_store(mount: FaultyMount, name: str) -> Goes:
    fault = mount.control.read_text()
    mount.put_in_order()
    store = mount.home / "store"
    away = store.rename(mount.home / "away")
    (mount.incoming / name).write_bytes(os.urandom(10))
    mount.wait_until(lambda: _state(mount, name) == "held", "the draft to wait for the store")
    mount.control.write_text(fault)
    os.getxattr(mount.path, SYNC)

    def goes() -> bool:
        away.rename(store)
        os.getxattr(mount.path, SYNC)
        mount.wait_until(lambda: versions(mount, name) == ["1"], "the version")
        return True

    return goes


def look(mount: FaultyMount, name: str) -> Goes:
    (mount.incoming / name).write_bytes(os.urandom(10))
    mount.wait_until(lambda: versions(mount, name) == ["1"], "the version, without a look at its format")
    (mount.incoming / name).write_bytes(os.urandom(10))

    def goes() -> bool:
        mount.wait_until(lambda: versions(mount, name)[-1] != "1", "the next version")
        return True

    return goes


def prefetch(mount: FaultyMount, name: str) -> Goes:
    content = os.urandom(3 * BLOCK)
    (mount.incoming / f".{name}").write_bytes(content)
    version = commit(mount.incoming / f".{name}", b'{"version": "1"}')
    with (mount.artifacts / f".{name}" / version / f".{name}").open("rb", buffering=0) as file:
        assert file.read(2 * BLOCK) == content[: 2 * BLOCK]
    return lambda: (mount.artifacts / f".{name}" / version / f".{name}").read_bytes() == content


def delete(mount: FaultyMount, name: str) -> Goes:
    draft, artifact = mount.incoming / name, mount.artifacts / name
    artifact.mkdir()

    def moves(version: str) -> bool:
        draft.write_bytes(version.encode())
        draft.rename(artifact / version)
        return (artifact / version / name).read_bytes() == version.encode() and not draft.exists()

    assert moves("first")
    return lambda: moves("second")


def record(mount: FaultyMount, name: str) -> Goes:
    (mount.incoming / f".{name}").write_bytes(os.urandom(10))
    assert commit(mount.incoming / f".{name}") == "1"
    return lambda: versions(mount, f".{name}") == ["1"]


def room(mount: FaultyMount, name: str) -> Goes:
    def free() -> int:
        return sum(int(disk["free"]) for disk in mount.status()["room"]["disks"])

    def goes() -> bool:
        before = free()
        (mount.incoming / f".{name}").write_bytes(bytes(50 * BLOCK))
        mount.wait_until(lambda: free() != before, "a look at the disk")
        return True

    (mount.incoming / f".{name}").write_bytes(b"content")
    return goes


def seal(mount: FaultyMount, name: str) -> Goes:
    (mount.incoming / name).write_bytes(b"first" + os.urandom(10))

    def goes() -> bool:
        with (mount.incoming / name).open("ab") as file:
            file.write(b"second")
        mount.wait_until(lambda: versions(mount, name) == ["1"], "the version")
        return True

    return goes


def signals(mount: FaultyMount, name: str) -> Goes:
    os.kill(mount.pid, signal.SIGHUP)

    def goes() -> bool:
        heard = mount.log().count("SIGHUP: ignored")
        os.kill(mount.pid, signal.SIGHUP)
        mount.wait_until(lambda: mount.log().count("SIGHUP: ignored") > heard, "the signal's echo")
        return True

    return goes


def transfer(mount: FaultyMount, name: str) -> Goes:
    def goes() -> bool:
        with Workspace.open(mount.home) as workspace:
            version = save(workspace, name, name)
            store = local_store(workspace, mount.base / f"store {name}", name)
            assert store.id is not None
            owe_copy(workspace.catalog, version, store.id)
            mount.wait_until(lambda: not workspace.catalog.pending.list(), "what is owed")
            return is_whole_in(store, version, workspace)

    return goes


def tune(mount: FaultyMount, name: str) -> Goes:
    mount.unmount()
    mount.remount()
    return lambda: (mount.path / "README.txt").is_file()


def watch(mount: FaultyMount, name: str) -> Goes:
    (mount.incoming / name).write_bytes(os.urandom(10))

    def goes() -> bool:
        mount.wait_until(lambda: versions(mount, name) == ["1"], "the version")
        return True

    return goes


def writers(mount: FaultyMount, name: str) -> Goes:
    def goes() -> bool:
        mount.wait_until(lambda: ENDED not in watched_by(mount.pid), "the end of all writers being noticed")
        return True

    mount.run(["cp", "/etc/passwd", mount.incoming / name])
    return goes


WORK: dict[Work, tuple[str, Callable[[FaultyMount, str], Goes]]] = {
    Work.AWAIT_STORE: ("Incoming.look_for_store", await_store),
    Work.CLOSE: ("BlobReader.close", prefetch),
    Work.DELETE: ("_delete", delete),
    Work.LOOK: ("look_at", look),
    Work.PREFETCH: ("BlobReader.prefetch", prefetch),
    Work.RECORD: ("record", record),
    Work.ROOM: ("_disk", room),
    Work.SEAL: ("DraftCommit.snapshot", seal),
    Work.SIGNALS: ("_heard", signals),
    Work.TRANSFER: ("Worker._start_lanes", transfer),
    Work.TUNE: ("tune", tune),
    Work.WATCH: ("Incoming.decision", watch),
    Work.WRITERS: ("Drafts.look_for_ends", writers),
}
"""What is put out of order, what has it done, and whether it goes once it is in order again."""


def test_all_work_is_here() -> None:
    assert WORK.keys() == set(Work)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("work", WORK)
def test_work_that_fails_ends_nothing_but_itself(mount: FaultyMount, work: Work, error: str) -> None:
    part, do = WORK[work]
    name = f"{work} {error}"
    pid = mount.pid
    before = _count(mount, work)
    mount.put_out_of_order(part, error=error)
    try:
        goes = do(mount, name)
        if work is Work.TUNE:
            before, pid = 0, mount.pid
        mount.wait_until(lambda: _count(mount, work) > before, "the failure in status.json")
        assert (mount.path / "README.txt").is_file()
    finally:
        mount.put_in_order()
    told = mount.status()["background"][work]
    assert told["last"] == f"{error}: injected into {part}"
    assert f"background work '{work}' failed\nTraceback" in mount.log()
    assert goes()
    assert mount.pid == pid


def test_a_file_that_is_closed_while_the_mount_goes_is_no_error(mount: FaultyMount) -> None:
    """Nobody waits for the daemon to close it; the answer comes to a kernel that has unmounted, and is not missed."""
    file = os.open(mount.path / "README.txt", os.O_RDONLY)
    mount.put_out_of_order("Handles.close", hang=True)
    os.close(file)
    subprocess.run(["fusermount3", "-u", mount.path], check=True)
    mount.put_in_order()
    assert mount.wait() == 0
    mount.remount()
    assert "fuse_release" not in mount.log()


def test_only_the_supervisor_starts_tasks() -> None:
    starting = {
        path.name
        for path in MOUNT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("start_soon", "start", "open_nursery")
        if node.attr != "start" or "nursery" in ast.unparse(node.value)
    }
    assert starting == {"daemon.py", "supervisor.py"}  # the daemon opens the one nursery


def _state(mount: FaultyMount, draft: str) -> str:
    return str({told["name"]: told["state"] for told in mount.status()["drafts"]}[draft])


def _count(mount: FaultyMount, work: Work) -> int:
    return int(mount.status()["background"].get(work, {"count": 0})["count"])
