"""A store behind a deadline: whatever its backend does, each call ends, with an answer or with words.

- Each call has 30 s (the option `deadline`), its retries and the wait for a free slot included; that of a put counts
  from its last progress, as a file may be large.
- Requests run on threads of the store's own (`artfs.stores.remote.requests`), so many at once (the option
  `connections`): a store that stalls takes nothing of another's.
- What the backend calls transient is tried again, with growing waits; a read that brings fewer bytes than there are is
  so too. A request that had no answer until its deadline is not: whoever called has waited long enough.
- A put is never tried again here. One that failed, or that nobody waited for any more, may have arrived, or arrive
  later, and nothing is overwritten: whoever owes the bytes looks and decides.

The errors say which store and object, what happened, and since when it has been so.
"""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from artfs.errors import ArtfsError, InvalidValue, StoreError, StoreTimeout
from artfs.names import check_relative_path
from artfs.stores.backend import Backend, Capabilities, Listed, PlaceReader, Progress, Stored
from artfs.stores.base import Store
from artfs.stores.remote.requests import Deadline, Requests, Stalled

if TYPE_CHECKING:
    from artfs.stores.artifact_store import BaseArtifactStore

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
MOST_LEFT = 64
"""Threads of one store that may hang at once."""
_LISTED_AT_ONCE = 1000
_LISTING_SECONDS = 1.0
"""A part of a listing is given up to the caller after so long, however little it is."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, and how often, a store is waited for.

    Args:
        seconds: of each call.
        connections: requests at once; None for what the backend says.
    """

    OPTIONS: ClassVar[frozenset[str]] = frozenset({"deadline", "connections"})

    seconds: float = 30.0
    connections: int | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Patience:
        """Return what a store's options say.

        Raises:
            InvalidValue: a number that makes no sense.
        """
        seconds, connections = options.get("deadline", cls().seconds), options.get("connections")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
            raise InvalidValue(f"the option 'deadline' is a number of seconds above 0, not {seconds!r}")
        if connections is not None and (type(connections) is not int or not 0 < connections <= 1000):
            raise InvalidValue(f"the option 'connections' is a whole number from 1 to 1000, not {connections!r}")
        return cls(float(seconds), connections)


class DeadlineStore(Store):
    """A store whose backend may stall.

    Args:
        backend: where the bytes are.
        patience: how long it is waited for.
    """

    def __init__(self, backend: Backend, patience: Patience | None = None) -> None:
        self.root = backend.root
        self.options = backend.options
        self.id = backend.id
        self.name = backend.name
        self.backend = backend
        self._patience = patience or Patience()
        self._requests = Requests(self._patience.connections or backend.capabilities.connections, MOST_LEFT)
        self._failing_since: datetime | None = None

    def __repr__(self) -> str:
        return f"DeadlineStore({self.backend!r})"

    @property
    def capabilities(self) -> Capabilities:
        return self.backend.capabilities

    @property
    def files(self) -> BaseArtifactStore:
        return self.backend.files

    def is_transient(self, error: OSError) -> bool:
        return isinstance(error, StoreTimeout) or self.backend.is_transient(error)

    def create(self) -> None:
        self._call(self.backend.create, self.root)

    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        deadline = self._deadline()

        def moved(taken: int) -> None:
            deadline.moved(taken)
            progress(taken)

        return self._once(lambda: self.backend.put(source, key, moved), self.place_path(key), deadline)

    def open_place(self, key: bytes) -> PlaceReader:
        shown = self.place_path(key)
        opened = self._call(lambda: _Opened(self.backend.open_place(key)), shown, drop=_Opened.close)
        return _Reader(opened, self._call, self._requests.later, shown)

    def stat(self, key: bytes) -> Stored:
        return self._call(lambda: self.backend.stat(key), self.place_path(key))

    def delete(self, key: bytes) -> None:
        self._call(lambda: self.backend.delete(key), self.place_path(key))

    def list(self, prefix: bytes = b"") -> Iterator[Listed]:
        if prefix:
            check_relative_path(prefix)
        found = iter(self.backend.list(prefix))
        shown = self.place_path(prefix) if prefix else self.root
        # A listing that broke off cannot be taken up again: only its callers know what they did with its beginning.
        while part := self._once(functools.partial(_part, found), shown, self._deadline()):
            yield from part

    def close(self) -> None:
        self._requests.later(self.backend.close)

    def _deadline(self) -> Deadline:
        return Deadline(self._patience.seconds)

    def _call(self, request: Callable[[], T], shown: str, drop: Callable[[T], None] = lambda late: None) -> T:
        """What a request answers that may be made several times."""
        import stamina

        deadline = self._deadline()
        attempts = stamina.retry_context(
            on=functools.partial(self._may_try_again, shown),
            attempts=ATTEMPTS,
            timeout=deadline.seconds,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=FIRST_WAIT_SECONDS,
        )
        for attempt in attempts:
            with attempt:
                return self._once(request, shown, deadline, drop)
        raise AssertionError("unreachable")

    def _once(
        self, request: Callable[[], T], shown: str, deadline: Deadline, drop: Callable[[T], None] = lambda late: None
    ) -> T:
        began = datetime.now(UTC)
        try:
            answer = self._requests.call(request, deadline, drop)
        except Stalled as error:
            since = self._fails_since(began)
            raise StoreTimeout(
                f"the artifact store '{self.name}' does not answer at '{shown}': {error}; it has been so since {since}:"
                " see what its server and the network do, then try again",
                subject=shown,
            ) from None
        except OSError as error:
            if not self.backend.is_transient(error):
                self._failing_since = None  # that is an answer too
                raise
            since = self._fails_since(began)
            raise _Passing(
                f"the artifact store '{self.name}' failed at '{shown}': {error}; it has been so since {since}: see what"
                " its server and the network do, then try again",
                subject=shown,
            ) from error
        except ArtfsError:
            raise
        except Exception as error:
            # A flavour of somebody else may raise what its client raises.
            raise StoreError(
                f"the artifact store '{self.name}' failed at '{shown}': {type(error).__name__}: {error}", subject=shown
            ) from error
        self._failing_since = None
        return answer

    def _may_try_again(self, shown: str, error: Exception) -> bool:
        if not isinstance(error, _Passing):
            return False
        logger.info("%s", error)
        return True

    def _fails_since(self, began: datetime) -> str:
        since = self._failing_since = self._failing_since or began
        return f"{since:%Y-%m-%d %H:%M:%S} UTC"


class _Passing(StoreError):
    """A failure that may pass by itself."""


class _Opened:
    """An open place, and what it says of itself, which to ask later might take long."""

    __slots__ = ("etag", "mtime_ns", "reader", "size")

    def __init__(self, reader: PlaceReader) -> None:
        self.reader = reader
        self.size = reader.size
        self.mtime_ns = reader.mtime_ns
        self.etag = reader.etag

    def close(self) -> None:
        self.reader.close()


class _Reader(PlaceReader):
    """An open place behind the deadline."""

    __slots__ = ("_call", "_later", "_opened", "_shown")

    def __init__(
        self,
        opened: _Opened,
        call: Callable[[Callable[[], bytes], str], bytes],
        later: Callable[[Callable[[], None]], None],
        shown: str,
    ) -> None:
        self._opened = opened
        self._call = call
        self._later = later
        self._shown = shown

    def pread(self, offset: int, size: int) -> bytes:
        return self._call(lambda: self._read(offset, size), self._shown)

    @property
    def size(self) -> int:
        return self._opened.size

    @property
    def mtime_ns(self) -> int | None:
        return self._opened.mtime_ns

    @property
    def etag(self) -> str | None:
        return self._opened.etag

    def close(self) -> None:
        # A read that hangs may hold what closing waits for.
        self._later(self._opened.close)

    def _read(self, offset: int, size: int) -> bytes:
        data = self._opened.reader.pread(offset, size)
        expected = max(0, min(size, self._opened.size - offset))
        if len(data) != expected:
            raise ConnectionError(f"{len(data)} bytes came instead of {expected}")
        return data


def _part(found: Iterator[Listed]) -> list[Listed]:
    """The next part of a listing; nothing at its end."""
    part: list[Listed] = []
    ends = time.monotonic() + _LISTING_SECONDS
    for listed in itertools.islice(found, _LISTED_AT_ONCE):
        part.append(listed)
        if time.monotonic() > ends:
            break
    return part
