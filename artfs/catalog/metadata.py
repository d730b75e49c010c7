"""Values that were logged for versions, runs and step runs. A key may be logged again: the newest value counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from artfs.catalog.engine import Engine, Row, in_lists, now_us
from artfs.catalog.values import EncodedValue, decode, encode
from artfs.errors import InvalidValue
from artfs.names import check_metadata_key

_COLUMNS = "key, type, text, number, json, created_us"


@dataclass(frozen=True, slots=True)
class Logged:
    """A value, when it was logged (microseconds since 1970 UTC) and the name of its type."""

    key: str
    value: Any
    type: str
    created_us: int


class VersionMetadata:
    """The metadata of versions."""

    def __init__(self, engine: Engine) -> None:
        self._log = _Log(engine, "version_meta", ("version_id",), times=True)

    def set(self, version_id: int, values: Mapping[str, object]) -> None:
        """Log values for a version, all or none; the types are those of `values.encode`."""
        self._log.add({"version_id": version_id}, values)

    def set_first(self, version_id: int, values: Mapping[str, object]) -> None:
        """Do as `set` for a version that nothing was logged for yet."""
        self._log.add_first({"version_id": version_id}, values)

    def get(self, version_id: int) -> dict[str, Any]:
        """Return the value of every key, by key."""
        return {logged.key: logged.value for logged in self._log.newest({"version_id": version_id})}

    def of_versions(self, version_ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Return the value of every key of versions that have any, by the version's row id and by key."""
        return {
            owner: {logged.key: logged.value for logged in rows}
            for owner, rows in self._log.newest_of_many("version_id", version_ids).items()
        }

    def rows(self, version_id: int) -> list[Logged]:
        """Return the newest row of every key, by key."""
        return self._log.newest({"version_id": version_id})

    def value(self, version_id: int, key: str) -> Logged | None:
        """Return the newest row of one key."""
        history = self._log.history({"version_id": version_id}, key, limit=1)
        return history[0] if history else None

    def history(self, version_id: int, key: str) -> list[Logged]:
        """Return all values that a key has had, newest first."""
        return self._log.history({"version_id": version_id}, key)

    def forget(self, version_id: int) -> None:
        """Forget all that was logged for a version, with its history."""
        self._log.remove({"version_id": version_id})


class RunMetadata:
    """The metadata of runs and of their step runs."""

    def __init__(self, engine: Engine) -> None:
        self._log = _Log(engine, "run_meta", ("run_id", "step_run_id"))

    def set(self, run_id: int, values: Mapping[str, object], step_run_id: int | None = None) -> None:
        """Log values for a run, or for one step run of it, all or none."""
        self._log.add({"run_id": run_id, "step_run_id": step_run_id}, values)

    def get(self, run_id: int, step_run_id: int | None = None) -> dict[str, Any]:
        """Return the value of every key, by key: of the run as a whole, or of one step run."""
        rows = self._log.newest({"run_id": run_id, "step_run_id": step_run_id})
        return {logged.key: logged.value for logged in rows}

    def rows(self, run_id: int, step_run_id: int | None = None) -> list[Logged]:
        """Return the newest row of every key, by key: of the run as a whole, or of one step run."""
        return self._log.newest({"run_id": run_id, "step_run_id": step_run_id})

    def history(self, run_id: int, key: str, step_run_id: int | None = None) -> list[Logged]:
        """Return all values that a key has had, newest first."""
        return self._log.history({"run_id": run_id, "step_run_id": step_run_id}, key)


class _Log:
    """Rows of (owner, key, value) in a table; the newest of a key is its value.

    `times`: whether the table has a column for values that are times.
    """

    def __init__(self, engine: Engine, table: str, owner: tuple[str, ...], *, times: bool = False) -> None:
        self._engine = engine
        self._times = times
        self._table = table
        self._owner = owner

    def add(self, owner: Mapping[str, int | None], values: Mapping[str, object]) -> None:
        with self._engine.joined():
            self._engine.executemany(
                f"UPDATE {self._table} SET newest = 0 WHERE {self._is(owner)} AND key = :key AND newest = 1",
                [{**owner, "key": key} for key in values],
            )
            self.add_first(owner, values)

    def add_first(self, owner: Mapping[str, int | None], values: Mapping[str, object]) -> None:
        names = ", ".join(self._owner)
        marks = ", ".join(f":{name}" for name in self._owner)
        now = now_us()
        self._engine.executemany(
            f"INSERT INTO {self._table} ({names}, {_COLUMNS}{', time_us' if self._times else ''}) "
            f"VALUES ({marks}, :key, :type, :text, :number, :json, :created_us{', :time_us' if self._times else ''})",
            [{**owner, "created_us": now, **_columns(key, value)} for key, value in values.items()],
        )

    def newest(self, owner: Mapping[str, int | None]) -> list[Logged]:
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM {self._table} WHERE {self._is(owner)} AND newest = 1 ORDER BY key",
            owner,
        )
        return [_logged(row) for row in rows]

    def newest_of_many(self, owner: str, ids: Collection[int]) -> dict[int, list[Logged]]:
        found: dict[int, list[Logged]] = {}
        for names, parameters in in_lists(ids):
            rows = self._engine.query(
                f"SELECT {owner}, {_COLUMNS} FROM {self._table} WHERE {owner} IN ({names}) AND newest = 1 ORDER BY key",
                parameters,
            )
            for id_, *row in rows:
                found.setdefault(id_, []).append(_logged(tuple(row)))
        return found

    def history(self, owner: Mapping[str, int | None], key: str, limit: int = 1_000_000) -> list[Logged]:
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM {self._table} WHERE {self._is(owner)} AND key = :key "
            "ORDER BY id DESC LIMIT :limit",
            {**owner, "key": key, "limit": limit},
        )
        return [_logged(row) for row in rows]

    def remove(self, owner: Mapping[str, int | None]) -> None:
        self._engine.execute(f"DELETE FROM {self._table} WHERE {self._is(owner)}", owner)

    def _is(self, owner: Mapping[str, int | None]) -> str:
        return " AND ".join(f"{name} IS NULL" if owner[name] is None else f"{name} = :{name}" for name in self._owner)


def _columns(key: str, value: object) -> dict[str, Any]:
    check_metadata_key(key)
    try:
        encoded = encode(value)
    except InvalidValue as error:
        raise InvalidValue(f"metadata '{key}': {error}", subject=key) from None
    return {
        "key": key,
        "type": encoded.type,
        "text": encoded.text,
        "number": encoded.number,
        "json": encoded.json,
        "time_us": encoded.time_us,
    }


def _logged(row: Row) -> Logged:
    key, type_, text, number, json, created_us = row
    return Logged(key, decode(EncodedValue(type_, text, number, json)), type_, created_us)
