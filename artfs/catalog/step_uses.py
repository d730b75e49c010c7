"""What else step runs used: files, names of versions, code, generators. While it is unchanged their outputs do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from artfs.catalog.engine import Engine
from artfs.content.digest import Digest


@dataclass(frozen=True, slots=True)
class StepUse:
    """Something that a step run used.

    Args:
        kind: name, file, declared, random or module, as the table `step_use` says.
        name: path of a file, or how a version was looked up: `points/latest`.
        digest: of what was there; None where only size and times are known, or nothing was there.
        size, mtime_ns, inode: of a file; None where none was there.
        version_id: what a name of versions gave.
    """

    kind: str
    name: bytes
    digest: Digest | None = None
    size: int | None = None
    mtime_ns: int | None = None
    inode: int | None = None
    version_id: int | None = None


class StepUses:
    """The table `step_use`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, step_run_id: int, uses: Collection[StepUse]) -> None:
        """Record what a step run used; what was recorded under the same kind and name is replaced."""
        if not uses:
            return
        with self._engine.transaction():
            self._engine.executemany(
                "INSERT INTO step_use (step_run_id, kind, name, digest, size, mtime_ns, inode, version_id) "
                "VALUES (:step, :kind, :name, :digest, :size, :mtime_ns, :inode, :version_id) "
                "ON CONFLICT (step_run_id, kind, name) DO UPDATE SET digest = excluded.digest, "
                "size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode, "
                "version_id = excluded.version_id",
                [{"step": step_run_id, **asdict(use)} for use in uses],
            )

    def of(self, step_run_id: int) -> Sequence[StepUse]:
        """Return what a step run used, by kind and name."""
        rows = self._engine.query(
            "SELECT kind, name, digest, size, mtime_ns, inode, version_id FROM step_use WHERE step_run_id = :step "
            "ORDER BY kind, name",
            {"step": step_run_id},
        )
        return [
            StepUse(kind, bytes(name), None if digest is None else Digest(bytes(digest)), *rest)
            for kind, name, digest, *rest in rows
        ]
