"""Where the bytes of a blob should be, best first, and which places have failed lately.

A place that failed goes last for `AVOIDED_SECONDS`, and so do all places of a store that could not be used at all: the
others are asked first, and this one again when none of them has the bytes. Whoever reads does not notice, so it is told
here: once in the log, and counted for the status.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from artfs.blobs import pieces
from artfs.errors import ArtfsError, StoreError
from artfs.stores.in_place import is_local, open_in_place

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.catalog import Catalog
    from artfs.content.digest import Digest
    from artfs.home.home import Home
    from artfs.home.stores import HomeStores
    from artfs.stores.base import PlaceReader

AVOIDED_SECONDS = 60.0

_REMEMBERED = 1_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a blob should be.

    Args:
        open: opens it for reading.
        show: gives its name for people, which takes longer than a small read.
        owned: artfs wrote it; otherwise it was registered in place, and others may change it.
        mtime_ns, etag: what they were at registration, where the store could tell.
        is_local: the bytes are on this machine.
        store_id: that it is in; None for data in place.
        key: tells it from all other places.
        open_lists: opens the lists of its pieces; None where there cannot be any.
    """

    open: Callable[[], PlaceReader]
    show: Callable[[], str]
    owned: bool = True
    mtime_ns: int | None = None
    etag: str | None = None
    is_local: bool = True
    store_id: int | None = None
    key: Hashable = None
    open_lists: Callable[[], PlaceReader] | None = None

    @property
    def shown(self) -> str:
        """How to name it to people."""
        return self.show()


@dataclass(frozen=True, slots=True)
class Failure:
    """A place that could not be read, or had other bytes.

    Args:
        is_of_list: only a list of pieces is not right, which is read no slower from elsewhere.
    """

    candidate: Candidate
    error: OSError
    is_of_list: bool = False


@dataclass(frozen=True, slots=True)
class LastFailure:
    """A failure for the status. at: seconds since 1970 UTC."""

    at: float
    place: str
    message: str


class Places:
    """The places of a catalog's blobs, as stores of this home have them. Many threads may use it.

    Args:
        home: keeps the lists of data in place.
        catalog: knows the places.
        stores: opens them.
    """

    def __init__(self, home: Home, catalog: Callable[[], Catalog], stores: Callable[[], HomeStores]) -> None:
        self._home = home
        self._catalog = catalog
        self._stores = stores
        self._lock = threading.Lock()
        self._avoided: OrderedDict[Hashable, float] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._count = 0
        self._last: LastFailure | None = None

    def of(self, blob_id: int, *, lists_of: Digest | None = None) -> list[Candidate]:
        """Return where the bytes of a blob should be, best first: what is on this machine before what is not.

        Args:
            blob_id: its row.
            lists_of: its digest, where its lists are wanted too.

        Raises an ArtfsError if no place is in a store that this process can open, such as one of a class that is not
        trusted.
        """
        candidates: list[Candidate] = []
        unusable: ArtfsError | None = None
        for place in self._catalog().blobs.places(blob_id):
            try:
                candidates.append(self._candidate(place, lists_of))
            except ArtfsError as error:
                unusable = error
                logger.info("a place is left out: %s", error)
        if unusable is not None and not candidates:
            raise unusable
        return sorted(candidates, key=lambda each: (self._is_avoided(each), not each.is_local))

    def failed(self, failures: Sequence[Failure], *, recovered: bool) -> None:
        """Take note of places that failed.

        Args:
            failures: which, and how.
            recovered: another place had the bytes, so that nobody else hears of it.
        """
        now = time.monotonic()
        for failure in failures:
            shown = failure.candidate.shown
            with self._lock:
                self._count += 1
                self._last = LastFailure(time.time(), shown, str(failure.error))
                for key in _avoided_by(failure):
                    _remember(self._avoided, key, now + AVOIDED_SECONDS)
                is_new = recovered and shown not in self._told
                if is_new:
                    _remember(self._told, shown, None)
            if is_new:
                logger.warning("%s%s", failure.error, "" if failure.is_of_list else "; another place has the bytes")

    def status(self, *, with_names: bool) -> dict[str, Any]:
        """Return how often places failed, and how one did so last.

        Args:
            with_names: also which one, which may name files of others.
        """
        last = asdict(self._last) if self._last is not None and with_names else None
        return {"failures": self._count, "last": last}

    def _is_avoided(self, candidate: Candidate) -> bool:
        if not self._avoided:
            return False
        now = time.monotonic()
        return any(self._avoided.get(key, now) > now for key in (candidate.key, _Whole(candidate.store_id)))

    def _candidate(self, place: BlobPlace, lists_of: Digest | None) -> Candidate:
        if place.store_id is None:
            return Candidate(
                open=functools.partial(open_in_place, place.path),
                show=functools.partial(place.path.decode, "utf-8", "backslashreplace"),
                owned=False,
                mtime_ns=place.mtime_ns,
                etag=place.etag,
                is_local=is_local(place.path),
                key=place.path,
                open_lists=functools.partial(pieces.open_in_place, self._home, lists_of) if lists_of else None,
            )
        store = self._stores().by_id(place.store_id)
        lists = pieces.place_of(place.path, lists_of) if lists_of else None
        return Candidate(
            open=functools.partial(store.open_place, place.path),
            show=functools.partial(store.place_path, place.path),
            is_local=store.is_local,
            store_id=place.store_id,
            key=(place.store_id, place.path),
            open_lists=functools.partial(store.open_place, lists) if lists is not None else None,
        )


@dataclass(frozen=True, slots=True)
class _Whole:
    """The key of all places of a store."""

    store_id: int | None


def _avoided_by(failure: Failure) -> list[Hashable]:
    """What is asked last after a failure: the place, and its whole store if that could not be asked."""
    candidate = failure.candidate
    if failure.is_of_list:
        return []
    is_whole_store = isinstance(failure.error, (StoreError, ConnectionError, TimeoutError))
    is_known = candidate.store_id is not None
    return [candidate.key, _Whole(candidate.store_id)] if is_whole_store and is_known else [candidate.key]


def _remember(known: OrderedDict[Any, Any], key: Hashable, value: object) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
