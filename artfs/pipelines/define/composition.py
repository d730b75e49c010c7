"""What a pipeline's function composes: which step is called with what."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from artfs.errors import InvalidValue, MaterializerError
from artfs.materializers.json.parameters import from_forms, to_form
from artfs.objects.references import OutputReference, StepInput
from artfs.pipelines.define.config import StepOptions, recorded_parameters
from artfs.pipelines.define.step import Step

Source = StepInput | tuple[StepInput, ...]


@dataclass(frozen=True)
class Invocation:
    """One call of a step in a pipeline.

    name: the step's, with `_2`, `_3` where it is called again. sources: inputs that are artifacts. parameters: inputs
    that are plain values. recorded: the same as JSON with their types, also those that the call has left to their
    defaults. after: steps that must have run although nothing of theirs is used.
    """

    name: str
    step: Step[..., Any]
    options: StepOptions
    sources: Mapping[str, Source]
    parameters: Mapping[str, Any]
    recorded: Mapping[str, Any]
    after: frozenset[str] = frozenset()

    @property
    def needs(self) -> frozenset[str]:
        """The invocations that must have run before."""
        return self.after | {value.invocation for _, value in self.values() if isinstance(value, OutputReference)}

    def values(self) -> Iterator[tuple[str, StepInput]]:
        """All values that come from artifacts, with their inputs' names."""
        for slot, source in self.sources.items():
            for value in source if isinstance(source, tuple) else (source,):
                yield slot, value


@dataclass
class Composition:
    """A pipeline while its function runs. steps: settings from a file, by the step's name."""

    pipeline: str
    options: StepOptions
    steps: Mapping[str, StepOptions] = field(default_factory=dict)
    invocations: dict[str, Invocation] = field(default_factory=dict)
    _calls: Counter[str] = field(default_factory=Counter)

    def add(self, step: Step[..., Any], bound: Mapping[str, Any], after: frozenset[str]) -> Invocation:
        """Takes in a call of a step."""
        name = self._free_name(step.name)
        unknown = after - set(self.invocations)
        if unknown:
            raise InvalidValue(f"step '{name}' is to run after '{min(unknown)}', which this pipeline has not called")
        sources = {slot: source for slot, value in bound.items() if (source := as_source(value)) is not None}
        plain = {slot: value for slot, value in bound.items() if slot not in sources}
        configured = self.steps.get(name) or self.steps.get(step.name) or StepOptions()
        options = configured.over(step.options).over(self.options)
        _check_names(options.parameters, step.signature.inputs, f"step '{name}' has no input")
        parameters = {**options.parameters, **plain}
        missing = step.signature.missing({**parameters, **sources})
        if missing:
            raise InvalidValue(f"step '{name}' is not given its input '{missing[0]}'", subject=missing[0])
        given = {key: value for key, value in parameters.items() if key not in sources}
        recorded = recorded_parameters(given, f"step '{name}'")
        # Read back: each step gets values of its own, which the pipeline's function cannot change any more.
        own = from_forms(recorded)
        recorded = {**_defaults(step, {*parameters, *sources}), **recorded}
        invocation = Invocation(name, step, options, sources, own, recorded, after)
        self.invocations[name] = invocation
        return invocation

    def _free_name(self, name: str) -> str:
        while True:
            self._calls[name] += 1
            free = name if self._calls[name] == 1 else f"{name}_{self._calls[name]}"
            if free not in self.invocations:
                return free

    def check_configured(self) -> None:
        """Raises InvalidValue when the file speaks of a step, or of a step's output, that there is none of."""
        names = {name for invocation in self.invocations.values() for name in (invocation.name, invocation.step.name)}
        _check_names(self.steps, names, f"the configuration names a step that '{self.pipeline}' does not call:")
        for invocation in self.invocations.values():
            slots = {output.slot for output in invocation.step.signature.outputs}
            if not any("{" in slot for slot in slots):
                _check_names(invocation.options.versions, slots, f"step '{invocation.name}' has no output")


def _defaults(step: Step[..., Any], given: Collection[str]) -> dict[str, Any]:
    """What is recorded of the defaults that a call leaves in place; one that JSON cannot say counts with the code."""
    found = {}
    for spec in step.signature.inputs.values():
        if not spec.required and spec.name not in given:
            with contextlib.suppress(MaterializerError):
                found[spec.name] = to_form(spec.default)
    return found


def as_source(value: Any) -> Source | None:
    """What an argument stands for when it is an artifact; None for a plain value."""
    if isinstance(value, StepInput):
        return value.as_source()
    if isinstance(value, list | tuple) and value and all(isinstance(part, StepInput) for part in value):
        return tuple(part.as_source() for part in value)
    return None


def _check_names(given: Iterable[str], known: Collection[str], message: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidValue(f"{message} '{name}' (there are: {', '.join(sorted(known)) or 'none'})", subject=name)
