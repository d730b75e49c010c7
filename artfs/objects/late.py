"""Versions that a pipeline's function asks for are looked up late: when the step begins that they are given to.

So a version that an earlier step of the same pipeline makes is found, and nothing is loaded while steps are composed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from artfs.objects.references import LateReference, StepInput
from artfs.objects.version import ArtifactVersionResponse

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.objects.objects import Objects


class LateArtifactVersion(ArtifactVersionResponse):
    """A version that is looked up when something of it is asked for, and is that one from then on.

    Args:
        objects: makes what it leads to.
        asked_for: the artifact's name.
        find: looks it up.
    """

    def __init__(self, objects: Objects, asked_for: str, find: Callable[[], Version]) -> None:
        self._objects = objects
        self.asked_for = asked_for
        self._find = find

    def __getattr__(self, name: str) -> Any:
        # Called only for what is not there yet.
        if name != "_version":
            raise AttributeError(f"a version has no attribute '{name}'")
        self._version = self._find()
        return self._version

    def as_source(self) -> StepInput:
        """Return the reference that a step is called with: to the version that is found when the step begins."""
        return LateReference(self.asked_for, lambda: self.row)
