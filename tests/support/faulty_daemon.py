"""The daemon, with one of its parts out of order: it raises what nobody expects, or ends the process as a kill would.

    python faulty_daemon.py OPTIONS-OF-THE-DAEMON

The file that $ARTFS_TEST_FAULT names says which part and how, and may be changed at any time: a line of JSON made by
`Fault`. Nothing in the product knows of this.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from artfs.stages import Stage, stages

VARIABLE = "ARTFS_TEST_FAULT"
DEADLINE_SECONDS = 3.0
"""In place of 10 for names and attributes, and of 60 for reads."""
EAT_BYTES = 2 * 2**30
"""Of whoever takes all memory that he can get, and gets this much, the test has set no limit."""
PARTS = (
    "artfs.catalog.listings:Listings.newest_tagged",
    "artfs.catalog.versions:Versions.create",
    "artfs.content.stream:SequentialHasher.write",
    "artfs.stores.local.store:LocalStore.open_place",
    "artfs.stores.local.store:LocalStore.place",
    "artfs.blobs.reader:BlobReader.close",
    "artfs.blobs.reader:BlobReader.prefetch",
    "artfs.transfers.worker:Worker._start_lanes",
    "artfs_mount.__main__:_Ready.succeeded",
    "artfs_mount.daemon:_heard",
    "artfs_mount.fuse.handles:DraftHandle.read",
    "artfs_mount.fuse.handles:DraftHandle.write",
    "artfs_mount.fuse.handles:Handles.__len__",
    "artfs_mount.fuse.handles:Handles.add",
    "artfs_mount.fuse.handles:Handles.close",
    "artfs_mount.incoming.attributes:FileAttributes.change",
    "artfs_mount.incoming.attributes:FileAttributes.get_attribute",
    "artfs_mount.incoming.attributes:FileAttributes.list_attributes",
    "artfs_mount.incoming.attributes:FileAttributes.remove_attribute",
    "artfs_mount.incoming.attributes:FileAttributes.set_attribute",
    "artfs_mount.incoming.commit:DraftCommit.commit",
    "artfs_mount.incoming.commit:DraftCommit.snapshot",
    "artfs_mount.incoming.commit:record",
    "artfs_mount.incoming.contents:Contents.close",
    "artfs_mount.incoming.contents:Contents.open",
    "artfs_mount.incoming.contents:Contents.sync",
    "artfs_mount.incoming.drafts:Drafts.look_for_ends",
    "artfs_mount.incoming.drafts:Drafts.sealed",
    "artfs_mount.incoming.incoming:Incoming.decision",
    "artfs_mount.incoming.incoming:Incoming.decisions",
    "artfs_mount.incoming.incoming:Incoming.kind",
    "artfs_mount.incoming.incoming:Incoming.look_for_store",
    "artfs_mount.incoming.namespace:Namespace.hard_link",
    "artfs_mount.incoming.namespace:Namespace.make_directory",
    "artfs_mount.incoming.namespace:Namespace.make_file",
    "artfs_mount.incoming.namespace:Namespace.make_link",
    "artfs_mount.incoming.namespace:Namespace.make_special",
    "artfs_mount.incoming.namespace:Namespace.read_link",
    "artfs_mount.incoming.namespace:Namespace.remove",
    "artfs_mount.incoming.namespace:Namespace.remove_directory",
    "artfs_mount.incoming.namespace:Namespace.rename",
    "artfs_mount.incoming.namespace:Namespace.sync_directory",
    "artfs_mount.incoming.stubs:Stub.put",
    "artfs_mount.incoming.stubs:make",
    "artfs_mount.fuse.inodes:Inodes.attributes",
    "artfs_mount.fuse.inodes:Inodes.forget",
    "artfs_mount.fuse.inodes:Inodes.lookup",
    "artfs_mount.fuse.inodes:Inodes.names",
    "artfs_mount.fuse.operations:os.statvfs",
    "artfs_mount.loop.room:_disk",
    "artfs_mount.onlooker:look_at",
    "artfs_mount.sealer:_delete",
    "artfs_mount.tree.dot_artfs:VersionText._made",
    "artfs_mount.tree.nearness:Nearness._is_near",
    "artfs_mount.tuning:tune",
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong. part: what follows the colon in PARTS, or `stage` and the name of one of `artfs.stages`.

    call: at which call of it, counted from 1; 0 is each.

    kill: the process is killed, else an exception is raised. after: when the part has done its work, not before.
    hang: instead, the part waits until it is put in order. error: the name of what is raised, of ERRORS.
    nonsense: instead, the part answers a text. eat: instead, it takes all the memory that it can get.
    """

    part: str
    call: int = 0
    kill: bool = False
    after: bool = False
    hang: bool = False
    error: str = "Injected"
    nonsense: bool = False
    eat: bool = False

    def write(self, path: Path) -> None:
        """Puts the part out of order, at once and for all calls from now on."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.rename(path)


class Injected(Exception):
    """An error of a kind that nothing expects."""


class PanicException(BaseException):
    """What a panic in Rust code becomes."""


ERRORS: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (Injected, PanicException, SystemExit, MemoryError, OSError)
}


def break_part(where: str, control: Path) -> None:
    """Wraps one of PARTS so that it asks the control file before and after each call."""
    module, _, name = where.partition(":")
    *path, last = name.split(".")
    holder: Any = functools.reduce(getattr, path, import_module(module))
    setattr(holder, last, _wrapped(getattr(holder, last), name, control))


def _wrapped(function: Callable[..., Any], name: str, control: Path) -> Callable[..., Any]:
    calls: dict[str, int] = {}

    def due(*, after: bool) -> Fault | None:
        try:
            text = control.read_text()
        except FileNotFoundError:
            return None
        fault = Fault(**json.loads(text))
        if fault.part != name or fault.after != after:
            return None
        calls[text] = calls.get(text, 0) + 1
        return fault if fault.call in (0, calls[text]) else None

    def fail(fault: Fault) -> None:
        if fault.hang:
            while control.exists():
                time.sleep(0.01)
            return
        if fault.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.eat:
            eaten = [b"x" * 2**20 for _ in range(EAT_BYTES >> 20)]
            raise AssertionError(f"{len(eaten)} MiB are free")
        raise ERRORS[fault.error](f"injected into {name}")

    @functools.wraps(function)
    def faulty(*arguments: Any, **named: Any) -> Any:
        before = due(after=False)
        if before is not None and before.nonsense:
            return "nonsense"
        if before is not None:
            fail(before)
        result = function(*arguments, **named)
        after = due(after=True)
        if after is not None:
            fail(after)
        return result

    return faulty


def break_stages(control: Path) -> None:
    """Asks the control file at each stage."""
    stages.listen(lambda stage: reached[stage](stage))
    reached = {stage: _wrapped(lambda _: None, f"stage {stage}", control) for stage in get_args(Stage)}


def main() -> int:
    for part in PARTS:
        break_part(part, Path(os.environ[VARIABLE]))
    break_stages(Path(os.environ[VARIABLE]))
    from artfs_mount.__main__ import main as serve
    from artfs_mount.fuse import controller, handles, operations
    from artfs_mount.loop import threads

    for module in (controller, operations, threads):
        module.METADATA_SECONDS = DEADLINE_SECONDS  # type: ignore[attr-defined]
    handles.READ_SECONDS = DEADLINE_SECONDS  # type: ignore[attr-defined]
    return serve()


if __name__ == "__main__":
    from artfs_mount.leaving import leave

    leave(main())
