"""What verbs are called in: a step that runs, or the function of a pipeline that is composed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from artfs.catalog.versions import Version


class Scope(Protocol):
    """Who saves and loads in this context, and wants to know what: a step that runs."""

    step_run_id: int

    def saved(self, version: Version) -> None: ...

    def loaded(self, version: Version) -> None: ...

    def looked_up(self, asked_for: str, version: Version | None) -> None:
        """A version was asked for by a name that may give another one later: `points/latest`, `points/@best`."""
        ...

    def listed(self, question: Mapping[str, Any], versions: Sequence[Version]) -> None:
        """Versions were listed. question: the arguments of `catalog.versions.list` as JSON has them, by name."""
        ...

    def opened(self, path: str, relative: bool, reads: bool) -> None:
        """A file, or a directory's list of names, was opened. relative: whether the path was, before it was whole."""
        ...

    def imported(self, path: str) -> None:
        """A module's code was loaded from a file, for an import or to be run."""
        ...


step_scope: ContextVar[Scope | None] = ContextVar("artfs_step_scope", default=None)

is_unobserved: ContextVar[bool] = ContextVar("artfs_unobserved", default=False)
"""Whether artfs itself is at work: the files that are opened then are none that a step has asked for."""


@contextmanager
def unobserved() -> Iterator[None]:
    """Let what is opened here be nothing that a step used: artfs knows itself what it loads."""
    token = is_unobserved.set(True)
    try:
        yield
    finally:
        is_unobserved.reset(token)


class Called(Protocol):
    """A call of a step, to be made when the pipeline runs."""

    @property
    def name(self) -> str: ...


class Composing(Protocol):
    """A pipeline whose function runs: it takes in which step is called with what."""

    def add(self, step: Any, bound: Mapping[str, Any], after: frozenset[str]) -> Called: ...


current_composition: ContextVar[Composing | None] = ContextVar("artfs_composition", default=None)
