"""Enum members, named tuples and dataclasses by their class's name and their fields.

An instance is saved as its class's name and its attributes, and comes back without calling `__init__`, as pickle
would do it. Instances that hold more than attributes, or whose class says itself how it is to be pickled, have no
such form (`NotInline`).
"""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import inspect
from collections.abc import Hashable, Mapping
from enum import Enum
from types import MemberDescriptorType
from typing import Any

from artfs.classes import is_importable, qualified_name, recorded_name
from artfs.errors import MaterializerError
from artfs.materializers.instances.fitting import UNLIKE, changed, check_fields

#: What pickle calls to make an instance of a class that does not say otherwise.
_NEW_OBJECT = copyreg.__newobj__  # type: ignore[attr-defined]


class NotInline(Exception):
    """A value has no faithful JSON form, although most values of its type have one."""


def enum_to_payload(member: Enum) -> dict[str, Any]:
    """Return class and name of an enum member; a combination of flags has its value instead of a name."""
    enum_class = type(member)
    require_importable(enum_class)
    name = member._name_
    if name is not None and enum_class.__members__.get(name) is member:
        return {"class": recorded_name(enum_class), "name": name}
    if type(member._value_) is not int:
        raise NotInline
    return {"class": recorded_name(enum_class), "value": member._value_}


def enum_from_payload(enum_class: type[Any], payload: Mapping[str, Any]) -> Any:
    """Return the member; raises MaterializerError where the class has lost it."""
    if not issubclass(enum_class, Enum):
        raise MaterializerError(f"{qualified_name(enum_class)} was an Enum when the value was saved, and no longer is")
    try:
        return enum_class[payload["name"]] if "name" in payload else enum_class(payload["value"])
    except (KeyError, ValueError) as error:
        wanted = payload.get("name", payload.get("value"))
        raise MaterializerError(
            f"{qualified_name(enum_class)} has no member {wanted} (any more), but the saved value is that member"
        ) from error


def named_tuple_to_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a named tuple by name."""
    tuple_class = type(value)
    require_importable(tuple_class)
    if (
        overrides(tuple_class, object, "__reduce_ex__", "__reduce__")
        or getattr(value, "__dict__", None)
        or len(value) != len(tuple_class._fields)
    ):
        raise NotInline
    return dict(zip(tuple_class._fields, value, strict=True))


def named_tuple_from_payload(tuple_class: Any, payload: Mapping[str, Any]) -> Any:
    """Return the named tuple; fields that the class has got since take their defaults."""
    names = getattr(tuple_class, "_fields", None)
    if names is None or not issubclass(tuple_class, tuple):
        raise MaterializerError(
            f"{qualified_name(tuple_class)} was a named tuple when the value was saved, and no longer is"
        )
    fields = payload["fields"]
    known = {**tuple_class._field_defaults, **fields}
    if set(known) != set(names):
        raise changed(tuple_class, missing=set(names) - set(known), gone=set(fields) - set(names))
    check_fields(tuple_class, payload)
    return tuple.__new__(tuple_class, [known[name] for name in names])


def dataclass_to_fields(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a dataclass instance by name, in their order, and the attributes that it has beside."""
    require_importable(type(value))
    if not _is_attributes_only(value):
        raise NotInline
    state = object.__getstate__(value)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    found = {**(attributes or {}), **(slots or {})}
    fields = {field.name: found[field.name] for field in dataclasses.fields(value) if field.name in found}
    return fields, {name: each for name, each in found.items() if name not in fields}


def dataclass_from_payload(dataclass: type[Any], payload: Mapping[str, Any]) -> Any:
    """Return the instance; fields that the class has got since take their defaults."""
    if not dataclasses.is_dataclass(dataclass):
        raise MaterializerError(
            f"{qualified_name(dataclass)} was a dataclass when the value was saved, and no longer is"
        )
    instance = object.__new__(dataclass)
    set_dataclass(instance, payload)
    return instance


def set_dataclass(instance: Any, payload: Mapping[str, Any]) -> None:
    """Give an instance of a dataclass, as `object.__new__` made it, its fields and the attributes that it had beside.

    Raises:
        MaterializerError: the class has lost one of the fields, has got one without a default, or does not take a
            value any more.
    """
    dataclass: Any = type(instance)
    fields, beside = payload["fields"], payload.get("beside", {})
    strict = UNLIKE in payload  # older releases put the other attributes among the fields
    present = {field.name for field in dataclasses.fields(dataclass)}
    gone = {name for name in fields if name not in present and (strict or not hasattr(dataclass, name))}
    defaults, missing = _defaults(dataclass, fields)
    if gone or missing:
        raise changed(dataclass, missing=missing, gone=gone)
    check_fields(dataclass, payload)
    attributes = getattr(instance, "__dict__", None)
    for name, value in {**defaults, **fields, **beside}.items():
        place = _place(dataclass, name)
        if place == "slot":
            object.__setattr__(instance, name, value)
        elif place == "attribute" and attributes is not None:
            attributes[name] = value
        else:  # a property in its place would hide it
            raise changed(dataclass, missing=set(), gone={name})


def require_importable(thing: Any) -> None:
    """Raise NotInline for classes and functions that cannot be found again by name, for example local ones."""
    if not is_importable(thing):
        raise NotInline


def overrides(instance_class: type, base: type, *methods: str) -> bool:
    """Return whether a class says itself what one of these methods does."""
    return any(getattr(instance_class, name) is not getattr(base, name) for name in methods)


def _is_attributes_only(value: Any) -> bool:
    """Return whether an instance is nothing but its attributes, and its class leaves pickling to Python."""
    instance_class = type(value)
    if overrides(instance_class, object, "__reduce_ex__", "__reduce__", "__new__"):
        return False
    if not (_generated(instance_class, "__getstate__") and _generated(instance_class, "__setstate__")):
        return False
    try:
        function, arguments, _, elements, pairs = value.__reduce_ex__(2)
    except TypeError:  # a C type below that cannot be pickled
        return False
    return function is _NEW_OBJECT and arguments == (instance_class,) and elements is None and pairs is None


def _generated(instance_class: type, name: str) -> bool:
    """Return whether a method is Python's own: that of object, or the one that frozen dataclasses with slots get."""
    method = getattr(instance_class, name, None)
    return method is getattr(object, name, None) or getattr(method, "__module__", None) == "dataclasses"


@functools.lru_cache(maxsize=4096)
def _place(dataclass: Hashable, name: str) -> str:
    """Return where instances keep a value of this name: "slot", "attribute", or "" where a property is in its place."""
    member = inspect.getattr_static(dataclass, name, None)
    if isinstance(member, MemberDescriptorType):
        return "slot"
    return "" if hasattr(type(member), "__set__") else "attribute"


def _defaults(dataclass: Any, saved: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the defaults of fields that were not saved, and the names of those that have none."""
    found: dict[str, Any] = {}
    missing = set()
    for field in dataclasses.fields(dataclass):
        if field.name in saved:
            continue
        if field.default is not dataclasses.MISSING:
            found[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
        elif field.init:  # others may well have been unset when the instance was saved
            missing.add(field.name)
    return found, missing
