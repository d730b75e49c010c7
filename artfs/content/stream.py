"""The digest of a file while it is being written, so that it need not be read again afterwards.

Only what comes (nearly) in order can be hashed on the way. A kernel with a writeback cache sends the last, partial page
of a growing file again with every flush and now and then swaps neighbouring requests. So the bytes after the last
full page stay unhashed in a small tail, where they may be rewritten, and a bounded amount of early writes waits for the
gap before them to close. Anything else breaks the stream for good, until the file is truncated to nothing.
"""

from __future__ import annotations

from bisect import insort

from artfs.content.digest import FileDigest, Hasher

PAGE_SIZE = 4096
EARLY_LIMIT = 8 * 2**20
"""At most this many bytes wait for a gap to close."""
EARLY_PIECES = 64
"""In at most this many pieces: a program that writes here and there is not worth the search for each of its gaps."""


class SequentialHasher:
    """Digests of a file that is written from its beginning to its end. The caller serialises all calls for one file."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._hasher: Hasher | None = Hasher()
        self._tail = bytearray()
        # (offset, bytes), sorted, never overlapping, all of it after the end of what came in order.
        self._early: list[tuple[int, bytes]] = []

    @property
    def broken(self) -> bool:
        """Whether the digest will have to be made by reading the file."""
        return self._hasher is None

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Take a write of the file: `data` at byte `offset`."""
        if self._hasher is None or len(data) == 0:
            return
        view = memoryview(data).cast("B")
        if offset < self._hasher.size:
            self.give_up()
            return
        # The newest write wins over an early one of the same bytes.
        self._cut_early(offset, offset + len(view))
        if offset > self._end(self._hasher):
            self._hold(offset, view)
            return
        self._append(self._hasher, offset, view)
        while self._early and self._early[0][0] == self._end(self._hasher):
            early_offset, early = self._early.pop(0)
            self._append(self._hasher, early_offset, memoryview(early))

    def truncate(self, size: int) -> None:
        """Take a change of the file's size. A file made longer counts once its new bytes are written."""
        if size == 0:
            self._start()
        elif self._hasher is None:
            return
        elif size < self._hasher.size:
            self.give_up()
        else:
            del self._tail[size - self._hasher.size :]
            self._cut_early(size, None)

    def result(self, size: int) -> FileDigest | None:
        """Return the digests of the file if all of its `size` bytes were seen in order, else None.

        The stream can go on afterwards.
        """
        if self._hasher is None or self._early or size != self._end(self._hasher):
            return None
        if not self._tail:
            return self._hasher.finish()
        complete = self._hasher.copy()
        complete.update(self._tail)
        return complete.finish()

    def give_up(self) -> None:
        """Take no more writes: the digest will have to be made by reading the file."""
        self._hasher = None
        self._tail = bytearray()
        self._early = []

    def _end(self, hasher: Hasher) -> int:
        """One past the last byte that came in order."""
        return hasher.size + len(self._tail)

    def _append(self, hasher: Hasher, offset: int, view: memoryview) -> None:
        """Take bytes that begin in the tail or right after it; hash all full pages, keep the rest as the tail."""
        inside = offset - hasher.size
        beyond = bytes(self._tail[inside + len(view) :])
        fill = min(len(view), -inside % PAGE_SIZE) if inside else 0
        self._tail[inside:] = view[:fill]
        rest = view[fill:]
        if len(self._tail) == PAGE_SIZE:
            hasher.update(self._tail)
            self._tail.clear()
        if not self._tail:
            full = len(rest) - len(rest) % PAGE_SIZE
            hasher.update(rest[:full])
            self._tail += rest[full:]
        self._tail += beyond

    def _hold(self, offset: int, view: memoryview) -> None:
        held = sum(len(data) for _, data in self._early)
        if held + len(view) > EARLY_LIMIT or len(self._early) == EARLY_PIECES:
            self.give_up()
        else:
            insort(self._early, (offset, bytes(view)))

    def _cut_early(self, start: int, end: int | None) -> None:
        """Forget the early bytes from `start` to `end` (None: all from there on)."""
        kept: list[tuple[int, bytes]] = []
        for offset, data in self._early:
            kept.append((offset, data[: max(0, start - offset)]))
            if end is not None:
                skipped = max(0, end - offset)
                kept.append((offset + skipped, data[skipped:]))
        if self._early:
            self._early = sorted(segment for segment in set(kept) if segment[1])
