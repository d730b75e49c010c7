"""Dataclasses, named tuples and pydantic models in pickles: their fields by name, as in JSON.

Pickle itself sets whatever attributes were saved, so that a field that was renamed would come back as its default.
Pickles name the functions of this module: they stay where they are.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from artfs.classes import is_importable, qualified_name
from artfs.materializers import builtin
from artfs.materializers.instances.fields import (
    NotInline,
    dataclass_to_fields,
    named_tuple_from_payload,
    named_tuple_to_fields,
    set_dataclass,
)
from artfs.materializers.instances.fitting import UNLIKE, unlike
from artfs.materializers.instances.pydantic_models import model_to_payload, set_state


def reduced(value: Any) -> tuple[Any, ...] | None:
    """Return what pickle is to do for an instance with fields; None for others, or if the class is pickled."""
    kind = type(value)
    try:
        if dataclasses.is_dataclass(kind):
            return _with_state(kind, _dataclass_payload(value), set_dataclass) if _is_found_again(kind) else None
        if isinstance(value, tuple) and hasattr(kind, "_fields") and _is_found_again(kind):
            fields = named_tuple_to_fields(value)
            return named_tuple_from_payload, (kind, {"fields": fields, UNLIKE: unlike(kind, fields)})
        if "pydantic" in sys.modules and any(qualified_name(base) == builtin.PYDANTIC_MODEL for base in kind.__mro__):
            return _with_state(kind, model_to_payload(value), set_state) if _is_found_again(kind) else None
    except NotInline:
        return None
    return None


def _with_state(kind: type[Any], payload: Mapping[str, Any], setter: Any) -> tuple[Any, ...]:
    return object.__new__, (kind,), dict(payload), None, None, setter


def _dataclass_payload(value: Any) -> dict[str, Any]:
    fields, beside = dataclass_to_fields(value)
    return {"fields": fields, "beside": beside, UNLIKE: unlike(type(value), fields)}


def _is_found_again(kind: type[Any]) -> bool:
    """Whether a pickle names the class; those of `__main__` and local ones are in it."""
    return kind.__module__ != "__main__" and is_importable(kind)
