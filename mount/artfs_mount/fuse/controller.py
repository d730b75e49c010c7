"""Carries out the orders that programs give the daemon (`incoming/control.py`), each for whoever gives it."""

from __future__ import annotations

import errno
import json
import os

import trio

from artfs.linux.processes import ancestors
from artfs.names import check_version_name
from artfs_mount.incoming import control
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.commit import Request
from artfs_mount.incoming.complete.events import DraftPath
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.lineage import record_reads
from artfs_mount.incoming.looks import temporaries
from artfs_mount.incoming.nodes import DraftNode
from artfs_mount.incoming.observed import Observer
from artfs_mount.loop.threads import METADATA_SECONDS, in_thread
from artfs_mount.sealer import Sealer

SYNC_SECONDS = 1.0
"""How long one question for `user.artfs.sync` waits before it answers that something is still under way."""


class Controller:
    """Answers questions about drafts, makes versions of them because somebody asks for it, and ends runs."""

    def __init__(self, incoming: Incoming, sealer: Sealer, observer: Observer) -> None:
        self._incoming = incoming
        self._catalog = incoming.workspace.catalog
        self._sealer = sealer
        self._observer = observer

    async def sync(self, caller: Caller, run: str | None = None) -> bytes:
        """The answer to `user.artfs.sync`. run: of `artfs exec` that has ended, if it is that which asks."""
        waiting = ancestors(caller.pid)
        with trio.move_on_after(SYNC_SECONDS):
            await self._sealer.finish_all(waiting, caller, run)
        owed = await in_thread(self._catalog.pending.count, seconds=METADATA_SECONDS)
        return json.dumps({**self._sealer.sync_answer(caller, waiting, run), "owed": owed}).encode()

    async def obey(self, order: bytes, value: bytes, caller: Caller) -> None:
        """Does what was set on a file of `/.artfs/orders`. Raises OSError (EOPNOTSUPP) for what is no order."""
        if order == control.COMMIT:
            draft, request = control.commit_request(value)
            await self._commit(control.named(draft), request, caller)
        elif order == control.FINISH:
            await self._finish_run(control.finished_run(value), caller)
        else:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    async def commit(self, node: DraftNode, value: bytes, caller: Caller) -> None:
        """Makes a version of the draft that `user.artfs.commit` names, or was set on."""
        named, request = control.commit_request(value)
        await self._commit(named or self._draft_name(node), request, caller)

    def answer(self, node: DraftNode, question: bytes) -> bytes:
        """The answer to one of `control.QUESTIONS` about a draft."""
        return control.answer(self._sealer.status_of(self._draft_name(node)), question)

    def writers(self, node: DraftNode) -> bytes:
        """The answer to `user.artfs.open`."""
        place = self._incoming.nodes.place_of(node)
        if place is None:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        return b"%d" % self._incoming.writers_in(place)

    async def left(self, node: DraftNode) -> bytes:
        """The answer to `user.artfs.left`."""
        name = self._draft_name(node)
        found = await in_thread(temporaries, self._incoming.path(name), seconds=METADATA_SECONDS)
        free = [path for path in found if not self._incoming.writers_in(DraftPath(name, path))]
        running = not self._incoming.have_writers_ended(self._incoming.draft(name))
        return control.left_answer([] if running else free, running=running)

    def unit(self, node: DraftNode) -> bytes:
        """The answer to `user.artfs.unit`."""
        return self._incoming.granularities.of(os.fsdecode(self._draft_name(node))).encode()

    async def set_unit(self, node: DraftNode, value: bytes, caller: Caller) -> None:
        """Says what of a draft is one version, for all drafts of its name."""
        draft = self._draft_name(node)
        self._incoming.check_order(draft, caller)
        unit = value.decode("utf-8", "replace").strip()
        await in_thread(self._incoming.granularities.change, os.fsdecode(draft), unit, seconds=METADATA_SECONDS)
        self._incoming.drafts.on_change(draft)

    async def turn_into(self, artifact_id: int, version: bytes, draft: bytes, caller: Caller) -> None:
        """Turns a draft into the version of that name, for `mv`: it leaves `/incoming`."""
        self._incoming.check_order(draft, caller)
        artifact = await in_thread(self._catalog.artifacts.by_id, artifact_id, seconds=METADATA_SECONDS)
        if artifact is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        wish = Request(artifact=artifact.name, version=check_version_name(os.fsdecode(version)))
        await self._sealer.seal(draft, wish, remove=True)

    async def _commit(self, draft: bytes, request: Request, caller: Caller) -> None:
        self._incoming.check_order(draft, caller)
        await self._sealer.seal(draft, request)

    def _draft_name(self, node: DraftNode) -> bytes:
        """Raises OSError (ENODATA) for what only lies in a draft."""
        if not node.links or node.links[0][0] is not self._incoming.nodes.root:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        return node.links[0][1]

    async def _finish_run(self, ended: control.FinishedRun, caller: Caller) -> None:
        await in_thread(control.check_own_run, self._catalog, ended, caller, seconds=METADATA_SECONDS)
        actors = self._observer.of_run(ended.run)
        if ended.failure is not None:
            self._incoming.hold_written_by(actors, ended.failure, caller)
        await self._sealer.until_recorded()
        await in_thread(record_reads, self._catalog, ended.run, actors, seconds=None)
