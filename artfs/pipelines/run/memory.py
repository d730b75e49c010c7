"""Values that pass from step to step in memory, so that what was just saved need not be loaded.

A step may change its input in place, and no other step must see that. So a value is handed over only to the one step
that takes it, and only when nothing else is known to hold it; all others load what was stored.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from artfs.objects.references import OutputReference
from artfs.pipelines.define.composition import Composition, Invocation

_FIXED = (str, bytes, int, float, bool, complex, type(None))
"""Nobody can change these."""

_OWN_REFERENCES = 2
"""As `sys.getrefcount` counts a value that only the mapping of a step's outputs holds."""

Key = tuple[str, str]
"""The name of a step in its run, and of its output, with placeholders."""


class PassedValues:
    """The values of one run."""

    def __init__(self, composition: Composition) -> None:
        self._values: dict[Key, Any] = {}
        self._uses = Counter(
            (value.invocation, value.slot)
            for invocation in composition.invocations.values()
            for _, value in invocation.values()
            if isinstance(value, OutputReference)
        )

    def keep(self, invocation: str, values: Mapping[str, Any]) -> None:
        """Takes what a step has made, by output, as far as it can be handed over."""
        for slot in values:
            key = invocation, slot
            # Outputs of one step may share parts: none of several can be handed over, unless nobody can change it.
            alone = len(values) == 1 and self._uses[key] == 1 and sys.getrefcount(values[slot]) <= _OWN_REFERENCES
            if self._uses[key] and (type(values[slot]) in _FIXED or alone):
                self._values[key] = values[slot]

    def take(self, invocation: Invocation) -> dict[str, Any]:
        """The values that a step is handed over, by input; the others it has to load."""
        taken = {}
        for slot, source in invocation.sources.items():
            if isinstance(source, OutputReference) and (key := (source.invocation, source.slot)) in self._values:
                taken[slot] = self._values[key] if type(self._values[key]) in _FIXED else self._values.pop(key)
        return taken
