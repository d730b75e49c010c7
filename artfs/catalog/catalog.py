"""The catalog as a whole: opens it and brings its nouns together."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path

from artfs.catalog.artifacts import Artifacts
from artfs.catalog.audit import Audit
from artfs.catalog.blobs import Blobs
from artfs.catalog.check import problems
from artfs.catalog.class_names import ClassNames
from artfs.catalog.copies import Copies
from artfs.catalog.engine import Engine
from artfs.catalog.engines.url import open_engine
from artfs.catalog.environments import Environments
from artfs.catalog.identity import Identity
from artfs.catalog.lineage import Lineage
from artfs.catalog.listings import Listings
from artfs.catalog.machines import Machine, Machines
from artfs.catalog.metadata import RunMetadata, VersionMetadata
from artfs.catalog.models import Models
from artfs.catalog.pending import Pending
from artfs.catalog.pins import Pins
from artfs.catalog.runs import Runs
from artfs.catalog.schema.migrations import bring_up, current, is_current
from artfs.catalog.settings import ArtifactSettings
from artfs.catalog.stacks import Stacks
from artfs.catalog.step_uses import StepUses
from artfs.catalog.steps import Steps
from artfs.catalog.stores import Stores
from artfs.catalog.tags import Tags
from artfs.catalog.trees import Trees
from artfs.catalog.unsynced import Unsynced
from artfs.catalog.users import Users
from artfs.catalog.uses import Uses
from artfs.catalog.versions import Versions
from artfs.catalog.visualizations import Visualizations
from artfs.errors import CatalogMissing
from artfs.sharing import OWNER


class Catalog:
    """What exists. Each attribute is one noun; safe to use from many threads.

    Example:
        >>> catalog = Catalog.open("catalog.db")
        >>> catalog.versions.latest(catalog.artifacts.ensure("iris").id)
    """

    def __init__(self, engine: Engine, machine: Machine | None = None) -> None:
        self.engine = engine
        self.machines = Machines(engine, machine)
        self.artifacts = Artifacts(engine)
        self.audit = Audit(engine, self.machines)
        self.blobs = Blobs(engine)
        self.class_names = ClassNames(engine)
        self.copies = Copies(engine)
        self.environments = Environments(engine)
        self.identity = Identity(engine)
        self.lineage = Lineage(engine)
        self.listings = Listings(engine)
        self.metadata = VersionMetadata(engine)
        self.models = Models(engine)
        self.pending = Pending(engine, self.machines)
        self.pins = Pins(engine)
        self.run_metadata = RunMetadata(engine)
        self.runs = Runs(engine, self.machines)
        self.settings = ArtifactSettings(engine)
        self.stacks = Stacks(engine)
        self.steps = Steps(engine, self.machines)
        self.step_uses = StepUses(engine)
        self.stores = Stores(engine)
        self.tags = Tags(engine)
        self.trees = Trees(engine)
        self.unsynced = Unsynced(engine)
        self.users = Users(engine)
        self.uses = Uses(engine)
        self.versions = Versions(engine, self.machines)
        self.visualizations = Visualizations(engine)

    @classmethod
    def open(
        cls,
        url: str | PathLike[str],
        *,
        begin: bool = True,
        mode: int = OWNER.file,
        machine: Machine | None = None,
    ) -> Catalog:
        """Open the catalog at a URL; an older one is brought up to this release, after a copy was put beside it.

        Args:
            url: `sqlite:///path`, `postgresql://...`, or the path of a file.
            begin: make a new one where there is none.
            mode: of a new file.
            machine: on whose behalf it is written; None for nobody's.

        Raises CatalogMissing where there is none, or an empty one, and none is to be made; CatalogTooNew for the
        catalog of a newer release; CatalogCorrupt for a damaged one; InvalidValue for a URL that no engine has.
        Nothing is changed then.
        """
        engine = open_engine(url, mode=mode)
        try:
            there = engine.exists()
            if not begin and not there:
                raise _missing(engine)
            if not is_current(engine):
                if not begin and current(engine) == 0:
                    raise _missing(engine)
                with engine.only_one():
                    if not is_current(engine):
                        bring_up(engine)
        except BaseException:
            engine.close()
            raise
        return cls(engine, machine)

    def transaction(self) -> AbstractContextManager[None]:
        """Do several things as one: all of them are committed when the block ends, or none on an error.

        Within another transaction of the same thread it joins it.
        """
        return self.engine.transaction()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Call `act` once what this thread does just now is committed, and never if it is undone."""
        self.engine.after_commit(act)

    def check_in_place(self) -> None:
        """Raise CatalogReplaced if the catalog's file is no longer the one that was opened."""
        self.engine.check_in_place()

    def back_up(self, target: str | PathLike[str]) -> None:
        """Copy the catalog, as it is at one moment, into a new file, while others go on writing.

        Raises AlreadyExists if something is there.
        """
        self.engine.back_up(Path(target))

    def stamp(self) -> Hashable:
        """Return what changes with every commit, whoever makes it; it costs next to nothing to ask.

        Stamps that different threads were given never compare equal.
        """
        return self.engine.stamp()

    def check(self) -> list[str]:
        """Read the whole catalog and return what is damaged or cannot be, one line each."""
        return list(problems(self.engine, self.audit))

    def close(self) -> None:
        """Close the catalog; opening it again is the only use it has afterwards."""
        self.engine.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _missing(engine: Engine) -> CatalogMissing:
    return CatalogMissing(
        f"the catalog {engine.url} is missing or empty, though versions were made here: put its backup back "
        "(artfs catalog restore FILE), or begin anew without them (artfs init --begin-anew, which says how)",
        subject=engine.url,
    )
