"""The JSON form of instances of Python classes: enum members, named tuples, dataclasses and pydantic models.

An instance is saved as its class's name and its attributes, and comes back without calling `__init__`, as pickle
would do it. Instances that hold more than attributes, or whose class says itself how it is to be pickled, have no
such form (`NotInline`).
"""

from __future__ import annotations

import copyreg
import dataclasses
from collections.abc import Mapping
from enum import Enum
from types import MemberDescriptorType
from typing import Any

from artfs.classes import is_importable, qualified_name, recorded_name
from artfs.errors import MaterializerError
from artfs.materializers.json.scalars import NotInline

#: What pickle calls to make an instance of a class that does not say otherwise.
_NEW_OBJECT = copyreg.__newobj__  # type: ignore[attr-defined]


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
        _overrides(tuple_class, object, "__reduce_ex__", "__reduce__")
        or getattr(value, "__dict__", None)
        or len(value) != len(tuple_class._fields)
    ):
        raise NotInline
    return dict(zip(tuple_class._fields, value, strict=True))


def named_tuple_from_fields(tuple_class: Any, fields: Mapping[str, Any]) -> Any:
    """Return the named tuple; fields that the class has got since take their defaults."""
    names = getattr(tuple_class, "_fields", None)
    if names is None or not issubclass(tuple_class, tuple):
        raise MaterializerError(
            f"{qualified_name(tuple_class)} was a named tuple when the value was saved, and no longer is"
        )
    known = {**tuple_class._field_defaults, **fields}
    if set(known) != set(names):
        raise _changed(tuple_class, missing=set(names) - set(known), gone=set(fields) - set(names))
    return tuple.__new__(tuple_class, [known[name] for name in names])


def dataclass_to_fields(value: Any) -> dict[str, Any]:
    """Return the attributes of a dataclass instance by name, in the order of its fields, others after them."""
    require_importable(type(value))
    if not _is_attributes_only(value):
        raise NotInline
    state = object.__getstate__(value)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    found = {**(attributes or {}), **(slots or {})}
    names = [field.name for field in dataclasses.fields(value) if field.name in found]
    return {name: found[name] for name in dict.fromkeys([*names, *found])}


def dataclass_from_fields(dataclass: type[Any], fields: Mapping[str, Any]) -> Any:
    """Return the instance; fields that the class has got since take their defaults."""
    if not dataclasses.is_dataclass(dataclass):
        raise MaterializerError(
            f"{qualified_name(dataclass)} was a dataclass when the value was saved, and no longer is"
        )
    instance = object.__new__(dataclass)
    slots = {
        name
        for base in dataclass.__mro__
        for name, member in vars(base).items()
        if isinstance(member, MemberDescriptorType)
    }
    attributes = getattr(instance, "__dict__", None)
    for name, value in {**_defaults(dataclass, fields), **fields}.items():
        if name in slots:
            object.__setattr__(instance, name, value)
        elif attributes is not None:
            attributes[name] = value
        else:
            raise _changed(dataclass, missing=set(), gone={name})
    return instance


def model_to_payload(model: Any) -> dict[str, Any]:
    """Return the state of a pydantic model: fields, which of them were set, extra and private attributes."""
    model_class = type(model)
    require_importable(model_class)
    pydantic_pickling = all(
        getattr(model_class, name).__module__.startswith("pydantic.") for name in ("__getstate__", "__setstate__")
    )
    if not pydantic_pickling or _overrides(model_class, object, "__reduce_ex__", "__reduce__"):
        raise NotInline
    state = model.__getstate__()
    return {
        "fields": state["__dict__"],
        "set": sorted(state["__pydantic_fields_set__"]),
        "extra": state.get("__pydantic_extra__"),
        "private": state.get("__pydantic_private__"),
    }


def model_from_payload(model_class: type[Any], payload: Mapping[str, Any]) -> Any:
    """Return the model as it was; if its class has got other fields since, they are validated and take defaults."""
    from pydantic import BaseModel, ValidationError

    if not issubclass(model_class, BaseModel):
        raise MaterializerError(
            f"{qualified_name(model_class)} was a pydantic model when the value was saved, and no longer is"
        )
    fields = payload["fields"]
    if not set(model_class.model_fields) <= set(fields):
        try:
            return model_class.model_validate(fields, by_name=True)
        except ValidationError as error:
            raise MaterializerError(
                f"{qualified_name(model_class)} has changed since the value was saved, and does not accept it any"
                f" more: {error.errors()[0]['msg']} ({'.'.join(map(str, error.errors()[0]['loc']))})"
            ) from error
    model = model_class.__new__(model_class)
    model.__setstate__(
        {
            "__dict__": fields,
            "__pydantic_fields_set__": set(payload["set"]),
            "__pydantic_extra__": payload["extra"],
            "__pydantic_private__": payload["private"],
        }
    )
    return model


def require_importable(thing: Any) -> None:
    """Raise NotInline for classes and functions that cannot be found again by name, for example local ones."""
    if not is_importable(thing):
        raise NotInline


def _is_attributes_only(value: Any) -> bool:
    """Return whether an instance is nothing but its attributes, and its class leaves pickling to Python."""
    instance_class = type(value)
    if _overrides(instance_class, object, "__reduce_ex__", "__reduce__", "__new__"):
        return False
    if not (_generated(instance_class, "__getstate__") and _generated(instance_class, "__setstate__")):
        return False
    try:
        function, arguments, _, elements, pairs = value.__reduce_ex__(2)
    except TypeError:  # a C type below that cannot be pickled
        return False
    return function is _NEW_OBJECT and arguments == (instance_class,) and elements is None and pairs is None


def _overrides(instance_class: type, base: type, *methods: str) -> bool:
    return any(getattr(instance_class, name) is not getattr(base, name) for name in methods)


def _generated(instance_class: type, name: str) -> bool:
    """Return whether a method is Python's own: that of object, or the one that frozen dataclasses with slots get."""
    method = getattr(instance_class, name, None)
    return method is getattr(object, name, None) or getattr(method, "__module__", None) == "dataclasses"


def _defaults(dataclass: Any, saved: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(dataclass):
        if field.name in saved:
            continue
        if field.default is not dataclasses.MISSING:
            found[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
        elif field.init:  # others may well have been unset when the instance was saved
            raise _changed(dataclass, missing={field.name}, gone=set())
    return found


def _changed(instance_class: type, *, missing: set[str], gone: set[str]) -> MaterializerError:
    what = [f"the saved value has no {', '.join(sorted(missing))}"] if missing else []
    what += [f"the class has no {', '.join(sorted(gone))} any more"] if gone else []
    return MaterializerError(
        f"{qualified_name(instance_class)} has changed since the value was saved: {'; '.join(what)}. Give new fields"
        " a default and keep old ones, or load with the older code"
    )
