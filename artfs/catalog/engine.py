"""The seam between the nouns of the catalog and a database.

One SQL text serves every engine: `:name` parameters, BIGINT ids, RETURNING, ON CONFLICT, recursive CTEs with UNION, no
triggers. What cannot be said in common is a word of the `Dialect` or a method here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

Parameters = Mapping[str, Any]
Row = tuple[Any, ...]
T = TypeVar("T")
R = TypeVar("R")

NO_PARAMETERS: Parameters = {}

CHUNK = 500
"""How many values go into one IN list."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of DDL that engines spell differently.

    Args:
        name: of the engine.
        id: type and constraints of a row id that is never used again, even when its row is gone.
        bytes: type of a byte string.
        integer: type of a 64-bit integer.
        real: type of a double.
        text: type of a text that is compared byte by byte.
    """

    name: str
    id: str
    bytes: str
    integer: str
    real: str
    text: str


class Engine(Protocol):
    """A database. Safe to use from many threads; each has its own connection."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def is_remote(self) -> bool:
        """Whether each question goes over a network, to a catalog that other machines share."""
        ...

    @property
    def url(self) -> str:
        """Where the catalog is, for messages: without secrets."""
        ...

    def exists(self) -> bool:
        """Whether there is anything yet; without making it."""
        ...

    def only_one(self) -> AbstractContextManager[None]:
        """Hold, until the block ends, the right to make or change the schema. One process at a time has it."""
        ...

    def query(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        """Run one statement and return all its rows."""
        ...

    def at_once(self, sql: str, columns: Sequence[str], parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        """Run one statement, whose columns hold numbers and text, and return all its rows.

        For a thread that others wait for: it stops once, and not at each row, where others may take the interpreter.
        """
        ...

    def one(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> Row | None:
        """Run one statement and return its first row."""
        ...

    def execute(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> int:
        """Run one statement and return how many rows it changed."""
        ...

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run one statement for every row and return how many rows were changed in all."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Hold the right to write until the block ends, then commit, or undo all of it on an error.

        Within a block on the same thread it joins: an error undoes the inner block alone, and only the end of the
        outermost commits.
        """
        ...

    def joined(self) -> AbstractContextManager[None]:
        """Hold the right to write as part of the transaction that runs, or of one of its own if none does.

        Quicker than a `transaction` within another: it cannot be undone alone. An error that leaves the block therefore
        undoes the transaction that it is a part of, even if somebody between them catches it.
        """
        ...

    def after_commit(self, act: Callable[[], None]) -> None:
        """Call `act` once what this thread does just now is committed, and never if it is undone.

        Outside of a transaction it is called at once. What it raises reaches whoever commits, and undoes nothing.
        """
        ...

    def tables(self) -> set[str]:
        """Return the names of all tables there are."""
        ...

    def reserve(self, table: str, count: int) -> Sequence[int]:
        """Return `count` ids of `table` that no row has or had, rising. Within a transaction only."""
        ...

    def stamp(self) -> Hashable:
        """Return what changes with every commit, whoever makes it: equal stamps mean equal answers; quick to ask.

        Stamps that different threads were given never compare equal.
        """
        ...

    def check_in_place(self) -> None:
        """Raise CatalogReplaced if the catalog is no longer where it was opened."""
        ...

    def back_up(self, target: Path) -> None:
        """Copy the catalog, as it is at one moment, into a new file that can be opened as a catalog.

        Raises InvalidValue where the database has its own ways for that.
        """
        ...

    def keep_copy(self, name: str) -> str | None:
        """Copy the catalog beside itself, and return where; None where the database has its own ways for that."""
        ...

    def check(self) -> list[str]:
        """Read all of the database and return what is damaged, one line each."""
        ...

    def close(self) -> None:
        """Close all connections; none may be in use."""
        ...


FROM_THE_FIRST: Parameters = {"time": -(2**63), "last": -1}
"""Before any row, where rows are in the order of time and id."""

BATCH = 1000
"""Rows that are read at a time where there may be very many."""


def now_us() -> int:
    """Return the time, in integer microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def scalar(row: Row | None) -> Any:
    """Return the only column of a row that is there."""
    assert row is not None
    return row[0]


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield `values` in parts of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def in_batches(read: Callable[[R | None, int], Sequence[R]], size: int) -> Iterator[Sequence[R]]:
    """Yield all rows of a list, so many at a time, without holding more.

    Args:
        read: returns at most so many rows that come after a row; the first ones for None.
        size: of a batch.
    """
    last: R | None = None
    while True:
        found = read(last, size)
        yield found
        if len(found) < size:
            return
        last = found[-1]


def insert_sql(table: str, columns: Iterable[str]) -> str:
    """Return an INSERT of one row whose parameters are named like its columns."""
    return _insert_sql(table, tuple(columns))


@functools.cache
def _insert_sql(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"


def insert_rows(engine: Engine, table: str, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows, which all have the same columns, and return their new ids in order. Within a transaction only."""
    if len(rows) == 1:
        return [scalar(engine.one(insert_sql(table, rows[0]) + " RETURNING id", rows[0]))]
    if not rows:
        return []
    ids = engine.reserve(table, len(rows))
    numbered = [{"id": id_, **row} for id_, row in zip(ids, rows, strict=True)]
    engine.executemany(insert_sql(table, numbered[0]), numbered)
    return list(ids)


def in_lists(values: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the insides of `IN (...)` and their parameters for values, of which there may be very many, or none."""
    for part in chunks(sorted(values)):
        parameters = {f"v{index}": value for index, value in enumerate(part)}
        yield ", ".join(f":{name}" for name in parameters), parameters
