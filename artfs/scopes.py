"""What verbs are called in: a step that runs, or the function of a pipeline that is composed."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from artfs.catalog.versions import Version


class Scope(Protocol):
    """Who saves and loads in this context, and wants to know what: a step that runs."""

    step_run_id: int

    def saved(self, version: Version) -> None: ...

    def loaded(self, version: Version) -> None: ...


step_scope: ContextVar[Scope | None] = ContextVar("artfs_step_scope", default=None)


class Called(Protocol):
    """A call of a step, to be made when the pipeline runs."""

    @property
    def name(self) -> str: ...


class Composing(Protocol):
    """A pipeline whose function runs: it takes in which step is called with what."""

    def add(self, step: Any, bound: Mapping[str, Any], after: frozenset[str]) -> Called: ...


current_composition: ContextVar[Composing | None] = ContextVar("artfs_composition", default=None)
