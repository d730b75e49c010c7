"""The catalog as a whole: opens it and brings its nouns together."""

from __future__ import annotations

import fcntl
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from os import PathLike
from pathlib import Path

from artfs.catalog.artifacts import Artifacts
from artfs.catalog.audit import Audit
from artfs.catalog.blobs import Blobs
from artfs.catalog.class_names import ClassNames
from artfs.catalog.engine import Engine
from artfs.catalog.environments import Environments
from artfs.catalog.lineage import Lineage
from artfs.catalog.metadata import RunMetadata, VersionMetadata
from artfs.catalog.migrations import is_current, migrate
from artfs.catalog.pins import Pins
from artfs.catalog.runs import Runs
from artfs.catalog.sqlite import SQLiteEngine
from artfs.catalog.stacks import Stacks
from artfs.catalog.steps import Steps
from artfs.catalog.stores import Stores
from artfs.catalog.tags import Tags
from artfs.catalog.trees import Trees
from artfs.catalog.unsynced import Unsynced
from artfs.catalog.users import Users
from artfs.catalog.uses import Uses
from artfs.catalog.versions import Versions
from artfs.catalog.visualizations import Visualizations
from artfs.errors import CatalogCorrupt


class Catalog:
    """What exists. Each attribute is one noun; safe to use from many threads.

    Example:
        >>> catalog = Catalog.open("catalog.db")
        >>> catalog.versions.latest(catalog.artifacts.ensure("iris").id)
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.artifacts = Artifacts(engine)
        self.audit = Audit(engine)
        self.blobs = Blobs(engine)
        self.class_names = ClassNames(engine)
        self.environments = Environments(engine)
        self.lineage = Lineage(engine)
        self.metadata = VersionMetadata(engine)
        self.pins = Pins(engine)
        self.run_metadata = RunMetadata(engine)
        self.runs = Runs(engine)
        self.stacks = Stacks(engine)
        self.steps = Steps(engine)
        self.stores = Stores(engine)
        self.tags = Tags(engine)
        self.trees = Trees(engine)
        self.unsynced = Unsynced(engine)
        self.users = Users(engine)
        self.uses = Uses(engine)
        self.versions = Versions(engine)
        self.visualizations = Visualizations(engine)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Catalog:
        """Open the catalog at `path`; a new one is made, an older one is brought up to this release.

        Raises CatalogTooNew for the catalog of a newer release and CatalogCorrupt for a damaged file; neither is
        changed.
        """
        file = Path(path)
        if file.is_dir():
            raise CatalogCorrupt(f"catalog {file} is a directory: choose another path", subject=str(file))
        engine = SQLiteEngine(file)
        try:
            if not is_current(engine):
                with _only_one_process(file):
                    engine.prepare()
                    if not is_current(engine):
                        migrate(engine)
        except BaseException:
            engine.close()
            raise
        return cls(engine)

    def transaction(self) -> AbstractContextManager[None]:
        """Do several things as one: all of them are committed when the block ends, or none on an error.

        Within another transaction of the same thread it joins it.
        """
        return self.engine.transaction()

    def stamp(self) -> Hashable:
        """Return what changes with every commit, whoever makes it; it costs next to nothing to ask.

        Stamps that different threads were given never compare equal.
        """
        return self.engine.stamp()

    def check(self) -> list[str]:
        """Read the whole catalog and return what is damaged, one line each."""
        return self.engine.check()

    def close(self) -> None:
        """Close the catalog; opening it again is the only use it has afterwards."""
        self.engine.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _only_one_process(file: Path) -> Iterator[None]:
    """Hold the lock file beside the catalog: SQLite's own locks do not cover the switch to WAL."""
    with open(file.with_name(file.name + ".lock"), "a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
