"""The types whose code a step uses although it does not name them: of its inputs and outputs, and what saves these."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_args, get_origin

from artfs.classes import find_by_name
from artfs.errors import ClassNotFound
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.registry import registry
from artfs.pipelines.define.plan import OutputPlan
from artfs.pipelines.define.step import Step
from artfs.pipelines.fingerprint.own import MAIN, is_own, is_own_to_import, module_of


def types_used(
    step: Step, outputs: Sequence[OutputPlan], given: Collection[tuple[str | None, str | None]]
) -> list[Any]:
    """Annotations, classes and materializers.

    given: by name, the classes and materializers of the versions that the step is given.
    """
    annotations = [spec.annotation for spec in step.signature.inputs.values()]
    annotations += [spec.annotation for spec in step.signature.outputs]
    names = sorted({name for pair in given for name in pair if name is not None}, key=by_class)
    found = [kind for name in names if (kind := _own_class(name, step)) is not None]
    return [*annotations, *found, *(each for output in outputs for each in _materializers(output))]


def own_materializers() -> list[type[BaseMaterializer]]:
    """The user's own materializers."""
    return [each for each in registry.registered() if is_own(module_of(each))]


def by_class(name: str) -> str:
    """A class's name, without the module if that is the user's own: a script is `__main__`, or imported.

    >>> by_class("__main__.Point")
    'Point'
    """
    module, _, kind = name.rpartition(".")
    return kind if module and is_own_to_import(module) else name


def _own_class(name: str, step: Step | None = None) -> type | None:
    """The user's own class of this name, if it is there: a step that loads a value of it will need it anyway."""
    module, _, kind = name.partition(".")
    if module in sys.modules and not is_own(module):
        return None
    # What a script has saved is in the step's module where the script is imported.
    if module == MAIN and step is not None and isinstance(there := step.function.__globals__.get(kind), type):
        return there
    try:
        found = find_by_name(name, trusted=False)
    except (ClassNotFound, PermissionError):
        return None
    return found if isinstance(found, type) and is_own(module_of(found)) else None


def _materializers(output: OutputPlan) -> list[type[BaseMaterializer]]:
    """The user's own materializers that may be what saves an output."""
    if isinstance(output.materializer, type):
        return [output.materializer]
    if isinstance(output.materializer, str):
        named = _own_class(output.materializer)
        return [named] if named is not None else []
    kinds = list(_classes_in(output.annotation))
    return registry.registered(None if object in kinds or Any in kinds else kinds)


def _classes_in(annotation: Any) -> Iterator[Any]:
    """The classes that an annotation names: of `dict[str, Point] | None` these are dict, str, Point and None's."""
    origin = get_origin(annotation)
    if origin is None or isinstance(origin, type):
        yield annotation if origin is None else origin
    for part in get_args(annotation):
        yield from _classes_in(part)
