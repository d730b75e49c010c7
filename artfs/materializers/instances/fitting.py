"""Whether the class of a saved value still takes what was saved: its fields by name, and their values.

Dataclasses and named tuples do not check values themselves. So what a field's annotation says is compared when the
value is saved, and `unlike` names those that are something else already; any other one has to be what it says later.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Hashable, Mapping
from typing import Any, NewType, get_args, get_origin

from artfs.classes import qualified_name
from artfs.errors import MaterializerError

UNLIKE = "unlike"
"""Key of the names of fields whose value is not what the class says of them. Older releases did not write it."""

_ALSO = {float: (float, int), complex: (complex, float, int)}
"""What stands for a number, as type checkers have it."""


def unlike(instance_class: Any, fields: Mapping[str, Any]) -> list[str]:
    """Return the names of fields whose value is not what the class says of them."""
    hints = _hints(instance_class)
    return [name for name, value in fields.items() if not fits(value, hints.get(name, Any))]


def check_fields(instance_class: type[Any], payload: Mapping[str, Any]) -> None:
    """Raise MaterializerError if a field has another annotation since, which its value is not."""
    known = payload.get(UNLIKE)
    if known is None:
        return
    for name in unlike(instance_class, payload["fields"]):
        if name not in known:
            raise does_not_take(
                instance_class, name, f"a {type(payload['fields'][name]).__name__} is not what it says of it"
            )


def does_not_take(instance_class: type[Any], name: str, why: str) -> MaterializerError:
    """Return the error for a field whose saved value the class would not take now."""
    return MaterializerError(
        f"{qualified_name(instance_class)} has changed since the value was saved, and does not accept its {name} any"
        f" more: {why}. Let it take the old values, or load with the older code"
    )


def changed(instance_class: type, *, missing: set[str], gone: set[str]) -> MaterializerError:
    """Return the error for a class that has got fields without a default, or has lost some."""
    what = [f"the saved value has no {', '.join(sorted(missing))}"] if missing else []
    what += [f"the class has no {', '.join(sorted(gone))} any more"] if gone else []
    return MaterializerError(
        f"{qualified_name(instance_class)} has changed since the value was saved: {'; '.join(what)}. Give new fields"
        " a default and keep old ones, or load with the older code"
    )


def fits(value: Any, annotation: Any) -> bool:
    """Return whether a value is what an annotation says, as far as that can be seen; of containers only their own type.

    >>> fits(1, float), fits("1", float), fits(None, int | None), fits([1], list[str])
    (True, False, True, True)
    """
    while isinstance(annotation, NewType):
        annotation = annotation.__supertype__
    if annotation is None:
        return value is None
    origin = get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in get_args(annotation))
    if origin is typing.Literal:
        return any(type(value) is type(each) and value == each for each in get_args(annotation))
    if origin in (typing.Annotated, typing.Final, typing.ClassVar):
        return fits(value, get_args(annotation)[0])
    kind = annotation if origin is None else origin
    if not isinstance(kind, type) or kind is Any:
        return True  # a variable of a generic, a text that names nothing
    try:
        return isinstance(value, _ALSO.get(kind, kind))
    except TypeError:  # a protocol that says it is not to be asked
        return True


@functools.lru_cache(maxsize=512)
def _hints(instance_class: Hashable) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(instance_class, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are code, which may name what is not there and raise anything
        return {}
