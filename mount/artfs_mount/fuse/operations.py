"""The FUSE requests, each answered by a few lines over the parts that know how.

Concurrency: all handlers run on one trio thread. What touches the node table, the drafts or the handles does so
between two awaits, so none of it needs a lock. What may wait (disks, catalogs, stores, commits) runs on worker threads
that touch none of it, but for a node's content under the node's own lock; the read-only tree is asked through
`Questions` alone, which knows what is quick. While a draft's files are turned into stubs, whoever wants to change it
waits. No handler may end the mount: everything runs inside `handler`.
"""

from __future__ import annotations

import errno
import functools
import os
import resource
from collections.abc import Sequence

import pyfuse3
import trio
from pyfuse3 import EntryAttributes, FileInfo, FUSEError, RequestContext, SetattrFields, StatvfsData

from artfs.names import check_artifact_name
from artfs_mount import tuning
from artfs_mount.fuse.controller import Controller
from artfs_mount.fuse.errno import unlisted, unreadable
from artfs_mount.fuse.guard import handler
from artfs_mount.fuse.handles import BlobHandle, DirectoryHandle, DraftHandle, Handles, TextHandle
from artfs_mount.fuse.inodes import Inodes, change_of
from artfs_mount.incoming import control
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.nodes import DraftNode
from artfs_mount.incoming.observed import Observer
from artfs_mount.loop.supervisor import Supervisor
from artfs_mount.loop.threads import METADATA_SECONDS, Questions, Reads, in_thread
from artfs_mount.sealer import Sealer
from artfs_mount.status import Status
from artfs_mount.tree.inode import Fixed, InodeKind, unpack, version_of

PRIVATE = 0o600


class Operations(pyfuse3.Operations):
    """The mount's answers to the kernel."""

    supports_dot_lookup = False
    # It would gather nothing: the kernel asks for an attribute before every write, gathered or not (see getxattr), and
    # keeps what was written until close(), when the daemon could long have been at work.
    enable_writeback_cache = False
    enable_acl = False

    def __init__(
        self, inodes: Inodes, sealer: Sealer, status: Status, observer: Observer, supervisor: Supervisor
    ) -> None:
        super().__init__()
        self.observer = observer
        self.controller = Controller(inodes.incoming, sealer, observer)
        self.inodes = inodes
        self.incoming = inodes.incoming
        self.catalog = inodes.incoming.workspace.catalog
        self.sealer = sealer
        self.status = status
        self.supervisor = supervisor
        self.questions = Questions(inodes.tree.look)
        self.reads = Reads()
        home = inodes.incoming.workspace.home
        self.disk = inodes.incoming.nodes.path_of_root if home.is_writable else os.fsencode(home.path)
        self.handles = Handles(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    # Names and attributes

    @handler
    async def lookup(self, parent: int, name: bytes, ctx: RequestContext) -> EntryAttributes:
        directory = self.inodes.node(parent)
        if directory is not None:
            return self.inodes.lookup(directory, name)
        return await self._find(parent, name, _caller(ctx))

    @handler
    async def getattr(self, inode: int, ctx: RequestContext) -> EntryAttributes:
        node = self.inodes.node(inode)
        if node is not None:
            return self.inodes.attributes(node)
        return self.inodes.of_tree(await self.questions.ask(self.inodes.tree_attributes, inode))

    def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:  # type: ignore[override] # there is nobody to answer
        for inode, count in inode_list:
            try:
                self.inodes.forget(inode, count)
            except BaseException as error:  # noqa: BLE001 - the status logs it
                self.status.failed("forget", error, None)

    @handler
    async def readlink(self, inode: int, ctx: RequestContext) -> bytes:
        node = self.inodes.node(inode)
        if node is not None:
            return self.incoming.namespace.read_link(node)
        return await self.questions.ask(self.inodes.target, inode)

    @handler
    async def setattr(
        self, inode: int, attr: EntryAttributes, fields: SetattrFields, fh: int | None, ctx: RequestContext
    ) -> EntryAttributes:
        node = await self._changeable(inode)
        change = change_of(attr, fields)
        if change.size and node.blob is not None:
            await self._truncate_stub(node, change.size, ctx.pid)
            node = await self._changeable(inode)
        return self.inodes.of_incoming(node, self.incoming.attributes.change(node, change, ctx.pid))

    @handler
    async def statfs(self, ctx: RequestContext) -> StatvfsData:
        disk = await in_thread(os.statvfs, self.disk, seconds=METADATA_SECONDS)
        data = StatvfsData()
        for field in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"):
            setattr(data, field, getattr(disk, field))
        data.f_namemax = 255
        return data

    # Directories

    @handler
    async def opendir(self, inode: int, ctx: RequestContext) -> int:
        self.handles.admit(_caller(ctx))
        return self.handles.add(DirectoryHandle(inode, _caller(ctx)), ctx.uid)

    @handler
    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        directory = self.handles.directory(fh)
        parent = self.inodes.node(directory.number)
        if parent is not None:
            self._tell_drafts(directory, parent, start_id, token)
            return
        try:
            await self._tell_tree(directory, start_id, token)
        except FileNotFoundError as error:
            raise unlisted(error) from error

    @handler
    async def releasedir(self, fh: int) -> None:
        self.handles.close(fh)

    @handler
    async def mkdir(self, parent: int, name: bytes, mode: int, ctx: RequestContext) -> EntryAttributes:
        if parent == Fixed.ARTIFACTS:
            artifact = check_artifact_name(os.fsdecode(name))
            await in_thread(self.catalog.artifacts.ensure, artifact, seconds=METADATA_SECONDS)
            return await self._find(parent, name, _caller(ctx))
        directory = await self._changeable(parent, name)
        return self.inodes.counted(
            self.incoming.namespace.make_directory(directory, name, mode, ctx.uid, ctx.gid, ctx.pid)
        )

    @handler
    async def rmdir(self, parent: int, name: bytes, ctx: RequestContext) -> None:
        directory = await self._changeable(parent, name)
        await self._keep_complete(directory, name)
        self.incoming.namespace.remove_directory(directory, name, ctx.pid)

    @handler
    async def unlink(self, parent: int, name: bytes, ctx: RequestContext) -> None:
        directory = await self._changeable(parent, name)
        await self._keep_complete(directory, name)
        self.incoming.namespace.remove(directory, name, ctx.pid)

    @handler
    async def symlink(self, parent: int, name: bytes, target: bytes, ctx: RequestContext) -> EntryAttributes:
        directory = await self._changeable(parent, name)
        return self.inodes.counted(
            self.incoming.namespace.make_link(directory, name, target, ctx.uid, ctx.gid, ctx.pid)
        )

    @handler
    async def mknod(self, parent: int, name: bytes, mode: int, rdev: int, ctx: RequestContext) -> EntryAttributes:
        directory = await self._changeable(parent, name)
        return self.inodes.counted(
            self.incoming.namespace.make_special(directory, name, mode, ctx.uid, ctx.gid, ctx.pid)
        )

    @handler
    async def link(self, inode: int, new_parent: int, new_name: bytes, ctx: RequestContext) -> EntryAttributes:
        directory = await self._changeable(new_parent, new_name)
        node = self.incoming.namespace.hard_link(self.inodes.writable(inode), directory, new_name, ctx.pid)
        return self.inodes.counted(node)

    @handler
    async def rename(
        self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int, ctx: RequestContext
    ) -> None:
        if unpack(new_parent)[0] == InodeKind.ARTIFACT:
            if await self._changeable(parent, name) is not self.incoming.nodes.root:
                raise FUSEError(errno.EPERM)  # only a whole draft can become a version
            await self.controller.turn_into(unpack(new_parent)[1], new_name, name, _caller(ctx))
            return
        directory, new_directory = self.inodes.writable(parent), self.inodes.writable(new_parent)
        await self._until_free((directory, name), (new_directory, new_name))
        if await self._keep_complete(new_directory, new_name):
            await self._until_free((directory, name), (new_directory, new_name))
        self.incoming.namespace.rename(directory, name, new_directory, new_name, flags, ctx.pid, ctx.uid)

    # Files

    @handler
    async def create(
        self, parent: int, name: bytes, mode: int, flags: int, ctx: RequestContext
    ) -> tuple[FileInfo, EntryAttributes]:
        self.handles.admit(_caller(ctx))
        directory = await self._changeable(parent, name)
        node, number = self.incoming.namespace.make_file(directory, name, flags, mode, ctx.uid, ctx.gid, ctx.pid)
        file = self.incoming.contents.opened(node, number, flags, ctx.pid)
        node.private_but_for = ctx.umask if mode & 0o777 == PRIVATE else None
        handle = DraftHandle(file, self.incoming.contents)
        return self._opened_draft(handle, flags, ctx.uid), self.inodes.counted(node)

    @handler
    async def open(self, inode: int, flags: int, ctx: RequestContext) -> FileInfo:
        self.handles.admit(_caller(ctx))
        if self.inodes.node(inode) is not None:
            return self._opened_draft(await self._open_draft(inode, flags, ctx.pid), flags, ctx.uid)
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
            raise FUSEError(errno.EROFS)
        file = await self.questions.ask(self.inodes.file, inode)
        if isinstance(file, bytes):
            return FileInfo(fh=self.handles.add(TextHandle(file), ctx.uid), keep_cache=True)
        self.observer.read(ctx.pid, version_of(inode))
        handle = BlobHandle(file, self.questions, self.reads, self.supervisor)
        return FileInfo(fh=self.handles.add(handle, ctx.uid), keep_cache=True)

    @handler
    async def read(self, fh: int, off: int, size: int) -> bytes | memoryview:  # type: ignore[override] # any buffer will do
        try:
            return await self.handles.file(fh).read(off, size)
        except OSError as error:
            raise unreadable(error) from error

    @handler
    async def write(self, fh: int, off: int, buf: bytes) -> int:
        return await self.handles.draft(fh).write(off, buf)

    @handler
    async def flush(self, fh: int) -> None:
        # Every error of a write was its own answer: the kernel keeps it for close() and fsync().
        self.handles.flush(fh)

    @handler
    async def fsync(self, fh: int, datasync: bool) -> None:
        node = self.handles.draft(fh).node
        await in_thread(functools.partial(self.incoming.contents.sync, node, data_only=datasync), seconds=None)

    @handler
    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        node = self.inodes.node(self.handles.directory(fh).number)
        if node is not None:
            await in_thread(self.incoming.namespace.sync_directory, self.incoming.nodes.path(node), seconds=None)

    @handler
    async def release(self, fh: int) -> None:
        self.handles.close(fh)

    # Extended attributes

    @handler
    async def getxattr(self, inode: int, name: bytes, ctx: RequestContext) -> bytes:
        # The kernel asks for this one before every write; it must cost nothing.
        if not name.startswith(b"user."):
            raise FUSEError(pyfuse3.ENOATTR)
        if name == control.SYNC and inode == Fixed.ROOT:
            return await self.controller.sync(_caller(ctx))
        if name.startswith(control.SYNC_OF_RUN) and inode == Fixed.ROOT:
            return await self.controller.sync(_caller(ctx), name.removeprefix(control.SYNC_OF_RUN).decode())
        node = self.inodes.node(inode)
        if node is None:
            return await self._tree_attribute(inode, name)
        if name in control.QUESTIONS:
            return self.controller.answer(node, name)
        if name == control.OPEN:
            return self.controller.writers(node)
        if name == control.LEFT:
            return await self.controller.left(node)
        if name == control.UNIT:
            return self.controller.unit(node)
        return self.incoming.attributes.get_attribute(node, name)

    @handler
    async def listxattr(self, inode: int, ctx: RequestContext) -> list[bytes]:
        node = self.inodes.node(inode)
        if node is None:
            # What a version says of itself is answered by name, and not listed: it would be wrong on a changed copy.
            return []
        return self.incoming.attributes.list_attributes(node)

    @handler
    async def setxattr(self, inode: int, name: bytes, value: bytes, ctx: RequestContext) -> None:
        node = self.inodes.node(inode)
        if unpack(inode)[0] == InodeKind.ORDER:
            await self.controller.obey(name, value, _caller(ctx))
        elif node is None:
            await in_thread(self.inodes.set_tree_xattr, inode, name, value, seconds=METADATA_SECONDS)
        elif name == control.COMMIT:
            await self.controller.commit(node, value, _caller(ctx))
        elif name == control.UNIT:
            await self.controller.set_unit(node, value, _caller(ctx))
        else:
            await self._changeable(inode)
            self.incoming.attributes.set_attribute(node, name, value)

    @handler
    async def removexattr(self, inode: int, name: bytes, ctx: RequestContext) -> None:
        self.incoming.attributes.remove_attribute(await self._changeable(inode), name)

    # Helpers

    async def _changeable(self, inode: int, name: bytes | None = None) -> DraftNode:
        """The node below `/incoming`, once nobody is making a version of its draft."""
        node = self.inodes.writable(inode)
        await self._until_free((node, name))
        return node

    async def _keep_complete(self, directory: DraftNode, name: bytes) -> bool:
        """Waits until the complete units are kept that lose this name now; returns whether it has waited."""
        if not await self.sealer.keep_before_loss(self.incoming.nodes.place_in(directory, name)):
            return False
        await self._until_free((directory, name))
        return True

    async def _until_free(self, *places: tuple[DraftNode, bytes | None]) -> None:
        if self.sealer.any_busy:
            root = self.incoming.nodes.root
            with trio.move_on_after(METADATA_SECONDS):
                await self.sealer.until_free(
                    *(name if node is root else self.incoming.nodes.draft_of(node) for node, name in places)
                )
                return
            raise TimeoutError(errno.ETIMEDOUT, "a draft cannot be changed while a version is made of it; try again")

    async def _truncate_stub(self, node: DraftNode, size: int, pid: int) -> None:
        """Truncates as whoever opens a file for it would: until it is done, no version is made of the draft."""
        (await self._open_truncated(node, size, pid)).close()

    async def _open_truncated(self, node: DraftNode, size: int, pid: int) -> DraftHandle:
        """Opens for writing, with a size."""
        file = self.incoming.contents.open(node, os.O_RDWR, pid, anew=size == 0)
        handle = DraftHandle(file, self.incoming.contents)
        try:
            await handle.truncate(size)
        except BaseException:
            handle.close()
            raise
        return handle

    async def _open_draft(self, inode: int, flags: int, pid: int) -> DraftHandle:
        writer = flags & os.O_ACCMODE != os.O_RDONLY or bool(flags & os.O_TRUNC)
        node = await self._changeable(inode) if writer else self.inodes.writable(inode)
        if flags & os.O_TRUNC:
            for place in list(node.links):
                await self._keep_complete(*place)
            node = await self._changeable(inode)
            self.incoming.contents.begin_anew(node)
            return await self._open_truncated(node, 0, pid)
        return DraftHandle(self.incoming.contents.open(node, flags, pid), self.incoming.contents)

    def _opened_draft(self, handle: DraftHandle, flags: int, uid: int) -> FileInfo:
        """What is written through a handle that cannot be mapped comes straight from the program's own memory."""
        direct = tuning.DIRECT_WRITES and flags & os.O_ACCMODE == os.O_WRONLY
        return FileInfo(fh=self.handles.add(handle, uid), keep_cache=True, direct_io=direct)

    async def _find(self, parent: int, name: bytes, caller: Caller) -> EntryAttributes:
        return self.inodes.counted_in_tree(await self.questions.ask(self.inodes.find, parent, name, caller))

    async def _tree_attribute(self, inode: int, name: bytes) -> bytes:
        value = (await self.questions.ask(self.inodes.tree_xattrs, inode)).get(name)
        if value is None:
            raise FUSEError(pyfuse3.ENOATTR)
        return value

    async def _tell_tree(self, directory: DirectoryHandle, position: int, token: pyfuse3.ReaddirToken) -> None:
        while piece := await directory.after(position, self.questions, self.inodes):
            for each in piece:
                if not pyfuse3.readdir_reply(token, each.name, self.inodes.of_tree(each.attributes), each.position):
                    return
                self.inodes.tree.remember(each.node)
            position = piece[-1].position

    def _tell_drafts(
        self, directory: DirectoryHandle, parent: DraftNode, position: int, token: pyfuse3.ReaddirToken
    ) -> None:
        if position == 0:
            directory.names = self.inodes.names(parent)
        for at in range(position, len(directory.names)):
            if not self._tell_draft(token, parent, directory.names[at], at + 1):
                return

    def _tell_draft(self, token: pyfuse3.ReaddirToken, parent: DraftNode, name: bytes, position: int) -> bool:
        try:
            node, status = self.incoming.namespace.lookup(parent, name)
        except FileNotFoundError:
            return True  # removed since the directory was opened
        told = pyfuse3.readdir_reply(token, name, self.inodes.of_incoming(node, status), position)
        if told:
            node.lookups += 1
        else:
            self.incoming.nodes.release_if_unused(node)
        return told


def _caller(ctx: RequestContext) -> Caller:
    return Caller(ctx.uid, ctx.gid, ctx.pid)
