"""Reading from the first of a blob's places that has the right bytes.

One place is open at a time, and stays open between reads. When it cannot be read or has other bytes, the next one is
opened, and it is asked last from then on; only when none is left is that an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from artfs.blobs.places import Candidate, Failure
from artfs.content.digest import PIECE_SIZE, Digest, FileDigest, format_digest, hash_bytes
from artfs.errors import DigestMismatch, PlaceChanged, ReaderClosed, StoreError
from artfs.stores.base import PlaceReader

Check = Callable[[Candidate, PlaceReader, bytes], None]
"""Raises the fitting OSError for bytes that are not right."""


class OpenPlace:
    """A place that is open, and how many reads are under way in it."""

    __slots__ = ("candidate", "reader", "users")

    def __init__(self, candidate: Candidate, reader: PlaceReader) -> None:
        self.candidate = candidate
        self.reader = reader
        self.users = 0


class Sources:
    """The places of one blob. Many threads may read at once.

    Args:
        file: what the content must be.
        candidates: where it may be read from, best first.
        has_digest: False for data in place whose digest is not known: a place is compared with what it was.
        keep_open: the place in use stays open between reads.
        on_failure: told about the places that failed in a read, and whether another one had the bytes.
    """

    def __init__(
        self,
        file: FileDigest,
        candidates: Sequence[Candidate],
        *,
        has_digest: bool,
        keep_open: bool,
        on_failure: Callable[[Sequence[Failure], bool], None] | None,
    ) -> None:
        self.candidates = list(candidates)
        self._file = file
        self._has_digest = has_digest
        self._keep_open = keep_open
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._open: OpenPlace | None = None
        self._closed = False

    @property
    def are_local(self) -> bool:
        """Whether the place that is asked first is on this machine."""
        return not self.candidates or self.candidates[0].is_local

    def read(self, read: Callable[[PlaceReader], bytes], check: Check) -> bytes:
        """Return what `read` gets from the first place where it passes `check`, beginning with the one in use."""
        failures: list[Failure] = []
        for _ in self.candidates:
            candidate = self.candidates[0]
            try:
                with self.opened() as place:
                    candidate = place.candidate
                    data = read(place.reader)
                    check(candidate, place.reader, data)
            except OSError as error:
                failures.append(Failure(candidate, error))
                self._give_up(candidate)
                continue
            self.tell(failures, recovered=True)
            return data
        self.tell(failures, recovered=False)
        raise _most_telling(failures, self._file)

    def read_at_once(self, size: int) -> bytes | None:
        """Return the first bytes of the place that is asked first, unverified, if this machine has them in memory."""
        candidate = self.candidates[0] if self.candidates else None
        if candidate is None or not candidate.is_local:
            return None
        try:
            with candidate.open() as reader:
                return reader.pread_at_once(0, size)
        except OSError:
            return None  # whoever reads it in earnest finds out what is wrong

    def tell(self, failures: Sequence[Failure], *, recovered: bool) -> None:
        """Report failures, if there are any."""
        if failures and self._on_failure is not None:
            self._on_failure(failures, recovered)

    @contextmanager
    def opened(self) -> Iterator[OpenPlace]:
        """The place in use, which stays open in the context, also when somebody closes these sources."""
        place = self._acquire()
        try:
            yield place
        finally:
            self._release(place)

    def close(self) -> None:
        """Close what is open; a read that is under way in another thread still completes."""
        with self._lock:
            self._closed = True
            self._detach()

    def _acquire(self) -> OpenPlace:
        if (place := self._in_use()) is not None:
            return place
        # Another lock, which no close() has to wait for.
        with self._opening:
            if (place := self._in_use()) is not None:
                return place
            candidate = self.candidates[0]
            place = OpenPlace(candidate, candidate.open())
            try:
                if not self._has_digest:
                    check_identity(candidate, place.reader, self._file.size)
                with self._lock:
                    self._check_open()
                    self._open = place
                    place.users += 1
                    return place
            except BaseException:
                place.reader.close()
                raise

    def _in_use(self) -> OpenPlace | None:
        with self._lock:
            self._check_open()
            if self._open is not None:
                self._open.users += 1
            return self._open

    def _check_open(self) -> None:
        if self._closed:
            # No OSError: no place failed.
            raise ReaderClosed(f"the reader of {format_digest(self._file.digest)} is closed; open another one")

    def _release(self, place: OpenPlace) -> None:
        with self._lock:
            place.users -= 1
            if place is self._open and not self._keep_open:
                self._detach()
            elif place is not self._open and place.users == 0:
                place.reader.close()

    def _give_up(self, candidate: Candidate) -> None:
        """Ask this place last from now on."""
        with self._lock:
            if self.candidates[0] is candidate:
                self.candidates = [*self.candidates[1:], candidate]
                self._detach()

    def _detach(self) -> None:
        """Let go of the open place; its last user closes it. Called with the lock held."""
        place, self._open = self._open, None
        if place is not None and place.users == 0:
            place.reader.close()


def digests(units: Sequence[Digest], size: int, what: str) -> Check:
    """Return a check of bytes against the digest of each piece in them, or of all of them where there is one digest."""
    step = PIECE_SIZE if len(units) > 1 else size

    def check(candidate: Candidate, reader: PlaceReader, data: bytes) -> None:
        view = memoryview(data)
        for number, unit in enumerate(units):
            found = hash_bytes(view[number * step : (number + 1) * step])
            if found != unit or len(data) != size:
                raise _wrong(candidate, what, unit, found, size, len(data))

    return check


def identity(blob_size: int, size: int) -> Check:
    """Return a check of bytes whose digest is not known: that their file is the one that was registered."""

    def check(candidate: Candidate, reader: PlaceReader, data: bytes) -> None:
        check_identity(candidate, reader, blob_size)
        if len(data) != size:
            raise _changed(candidate, f"it ends before byte {blob_size}")

    return check


def check_identity(candidate: Candidate, reader: PlaceReader, size: int) -> None:
    """Raise PlaceChanged if data in place is not what it was when it was registered."""
    if reader.size != size:
        raise _changed(candidate, f"it had {size} bytes and now has {reader.size}")
    if candidate.mtime_ns is not None and reader.mtime_ns != candidate.mtime_ns:
        raise _changed(candidate, "it was modified after it was registered")
    if candidate.etag is not None and reader.etag != candidate.etag:
        raise _changed(candidate, f"its ETag was {candidate.etag} and now is {reader.etag}")


def _wrong(candidate: Candidate, what: str, unit: Digest, found: Digest, size: int, found_size: int) -> OSError:
    if not candidate.owned:
        return _changed(candidate, "its content is no longer what was registered")
    return DigestMismatch(
        f"'{candidate.shown}' is damaged: {what} should be {format_digest(unit)} with {size} bytes, "
        f"but is {format_digest(found)} with {found_size}; run 'artfs verify' to see what else is",
        subject=candidate.shown,
    )


def _changed(candidate: Candidate, why: str) -> PlaceChanged:
    advice = "restore it, or register it again as a new version"
    return PlaceChanged(f"'{candidate.shown}' was changed: {why}; {advice}", subject=candidate.shown)


def _most_telling(failures: Sequence[Failure], file: FileDigest) -> OSError:
    """Of several failures the one that says that bytes are wrong, else the first."""
    if not failures:
        digest = format_digest(file.digest)
        return StoreError(f"the bytes of {digest} lie in no store; run 'artfs verify' to see what else is missing")
    errors = [failure.error for failure in failures]
    return next((error for error in errors if isinstance(error, DigestMismatch | PlaceChanged)), errors[0])
