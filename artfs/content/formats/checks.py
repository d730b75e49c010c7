"""Which check knows a file, and what it finds.

Installed packages add checks through the entry point group `artfs.formats`; they are asked before artfs's own:

    [project.entry-points."artfs.formats"]
    tiles = "my_package.artfs:check_tiles"    # called with a file's name and an OpenedFile

What such a check raises, in being imported too, is logged once, and the file is what it is without the check.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from artfs.content.formats.archives import ZIP
from artfs.content.formats.arrow import ARROW_FILE, ARROW_STREAM, FEATHER_1
from artfs.content.formats.boosters import LIGHTGBM, XGBOOST
from artfs.content.formats.finding import Finding
from artfs.content.formats.format import HEAD, Broken, Format
from artfs.content.formats.gzip import GZIP
from artfs.content.formats.hdf5 import HDF5
from artfs.content.formats.json import JSON
from artfs.content.formats.numpy import NPY
from artfs.content.formats.opened import BoundedFile, BudgetSpent, OpenedFile, Shrunk
from artfs.content.formats.parquet import PARQUET
from artfs.content.formats.pickles import PICKLE
from artfs.content.formats.safetensors import SAFETENSORS
from artfs.content.formats.sqlite import SQLITE
from artfs.content.formats.torch import LEGACY_TORCH
from artfs.content.formats.unbegun import UNBEGUN

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "artfs.formats"

FORMATS: tuple[Format, ...] = (
    ZIP,
    LEGACY_TORCH,
    PICKLE,
    HDF5,
    PARQUET,
    ARROW_FILE,
    FEATHER_1,
    ARROW_STREAM,
    NPY,
    GZIP,
    SQLITE,
    XGBOOST,
    LIGHTGBM,
    SAFETENSORS,
    JSON,
    *UNBEGUN,
)
"""In the order in which they are asked: what bytes alone tell comes before what needs the name's ending."""

FormatCheck = Callable[[bytes, OpenedFile], Finding | None]

_PIECE = re.compile(rb".*\.(\d+|[rz]\d\d|part[\w-]*|(?!pt|gz|nc|db)[a-z]{2})|x[a-z]{2}", re.DOTALL)
"""Names that `split` and its like give: a part of a file begins as the whole one does, and ends anywhere."""

_LONGEST_FAULT = 300
"""Characters: a file says what it likes of itself."""

logger = logging.getLogger(__name__)


class FormatChecks:
    """The checks of this process: artfs's own, and those of installed packages, which are imported at first use.

    Any thread may ask. A check reads at most `MOST_BYTES` of a file in `MOST_READS` reads, whatever is in it.
    """

    def __init__(self, entries: Iterable[EntryPoint] | None = None) -> None:
        """With the entry points to use; those of installed packages if not given."""
        self._lock = threading.Lock()
        self._entries = entries
        self._installed: list[tuple[str, FormatCheck]] | None = None
        self._reported: set[str] = set()

    def check(self, name: bytes, file: OpenedFile) -> Finding | None:
        """Return what is found out about a file from little of it; None: no check knows its format, or it is empty.

        Whatever its bytes are, nothing is raised for them; OSError is, if they cannot be read.

        Args:
            name: of the file, without its directory.
            file: its bytes.
        """
        if file.size == 0:
            return None
        for entry, check in self._of_packages():
            if (found := self._asked(entry, check, name, file)) is not None:
                return found
        return _own_finding(name.lower(), file)

    def _of_packages(self) -> list[tuple[str, FormatCheck]]:
        with self._lock:
            if self._installed is None:
                self._installed = [(entry.name, check) for entry in self._found() if (check := self._loaded(entry))]
            return self._installed

    def _found(self) -> Iterable[EntryPoint]:
        if self._entries is not None:
            return self._entries
        from importlib.metadata import entry_points  # here: importing it takes long

        return entry_points(group=ENTRY_POINT_GROUP)

    def _loaded(self, entry: EntryPoint) -> FormatCheck | None:
        try:
            check: FormatCheck = entry.load()
            if not callable(check):
                raise TypeError(f"{entry.value} cannot be called")
        except Exception as error:  # noqa: BLE001 - importing runs a stranger's code, which may raise anything
            self._report(entry.name, error)
            return None
        return check

    def _asked(self, entry: str, check: FormatCheck, name: bytes, file: OpenedFile) -> Finding | None:
        try:
            found: object = check(name, BoundedFile(file))
            if found is not None and not isinstance(found, Finding):
                raise TypeError(f"it returned {type(found).__name__}, no Finding")
        except Exception as error:  # noqa: BLE001 - a stranger's code, which may raise anything
            self._report(entry, error)
            return None
        return found

    def _report(self, entry: str, error: Exception) -> None:
        if entry not in self._reported:
            self._reported.add(entry)
            logger.warning("the format check %r of %s is left out: %r", entry, ENTRY_POINT_GROUP, error)


@functools.cache
def _all_checks() -> FormatChecks:
    return FormatChecks()


def check(name: bytes, file: OpenedFile) -> Finding | None:
    """Return what is found out about a file; see `FormatChecks.check`."""
    return _all_checks().check(name, file)


def _own_finding(name: bytes, file: OpenedFile) -> Finding | None:
    head = file.pread(0, HEAD)
    for each in FORMATS:
        if not each.recognises(name, head):
            continue
        try:
            proves_end = each.examine(name, BoundedFile(file))
        except Broken as broken:
            return Finding(each.name, None if _PIECE.fullmatch(name) else str(broken)[:_LONGEST_FAULT])
        except BudgetSpent:
            return Finding(each.name)
        except Shrunk:
            return Finding(each.name, f"it became shorter than {file.size} bytes while it was checked")
        if proves_end is not None:
            return Finding(each.name, proves_end=proves_end)
    return None
