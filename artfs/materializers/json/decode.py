"""Reading the JSON form of Python values; `encode` says what it looks like."""

from __future__ import annotations

import json
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from artfs.classes import find_by_name, may_import, qualified_name, untrusted_class
from artfs.errors import ArtfsError, MaterializerError
from artfs.materializers.instances.fields import (
    dataclass_from_payload,
    enum_from_payload,
    named_tuple_from_payload,
)
from artfs.materializers.instances.pydantic_models import model_from_payload
from artfs.materializers.json.encode import ITEMS
from artfs.materializers.json.pandas_scalars import from_parts as pandas_from_parts
from artfs.materializers.json.scalars import SCALAR_DECODERS
from artfs.materializers.registry import registry

_ITEM_PATH = re.compile(rf"{ITEMS}/[\w-][\w.-]*")


def decode(
    text: bytes,
    load_item: Callable[[Mapping[str, str]], Any],
    load_pickled: Callable[[int], Any],
    *,
    trusted: bool,
) -> Any:
    """Return the value of a JSON form.

    Args:
        text: what `encode` gave.
        load_item: gets what stands in {"$item": ...} and returns the value.
        load_pickled: returns the pickled value of an index.
        trusted: whether this catalog saved the value itself; if not, no module is imported for it.

    Raises:
        MaterializerError: the text is no JSON form, or a class has changed too much since.
        ClassNotFound: a class cannot be found under the name it had.
        UntrustedPickle: a module would have to be imported, and `trusted` is False or the home does not know the class.
    """
    beside: dict[str, Callable[[Any], Any]] = {"$item": load_item, "$pickled": load_pickled}
    decoders = {**_DECODERS, **_instance_decoders(trusted)}

    def decode_object(found: dict[str, Any]) -> Any:
        if len(found) != 1:
            return found
        [(tag, payload)] = found.items()
        if not tag.startswith("$"):
            return found
        if tag in beside:
            return beside[tag](payload)
        if tag not in decoders:
            raise MaterializerError(f"this value holds a {tag}, which this release of artfs cannot read: update artfs")
        try:
            return decoders[tag](payload)
        except ArtfsError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            raise MaterializerError(f"a {tag} in this value cannot be read: {type(error).__name__}: {error}") from error

    try:
        return json.loads(text, object_hook=decode_object)
    except RecursionError as error:
        raise MaterializerError("this value is nested too deeply to be loaded from here") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MaterializerError(f"this value is not JSON: {error}") from error


def item_path(record: Mapping[str, str]) -> str:
    """Return the directory of an {"$item": ...}, relative to the JSON file.

    Raises:
        MaterializerError: it would lead out of the items' directory.
    """
    path = record["path"]
    if not _ITEM_PATH.fullmatch(path):
        raise MaterializerError(f"the item {path!r} does not lie in {ITEMS}/: this value was not written by artfs")
    return path


def _deque_from_payload(payload: list[Any]) -> deque[Any]:
    elements, longest = payload
    return deque(elements, longest)


#: What each tag means that needs nothing but its payload. Payloads are decoded from the inside out.
_DECODERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        **SCALAR_DECODERS,
        "$dict": dict,
        "$tuple": tuple,
        "$set": set,
        "$frozenset": frozenset,
        "$deque": _deque_from_payload,
        "$ordereddict": OrderedDict,
        "$counter": Counter,
        "$pandas": pandas_from_parts,
    }
)


def _instance_decoders(trusted: bool) -> dict[str, Callable[[Any], Any]]:
    """Return the decoders that find classes by name."""

    def class_of(payload: Mapping[str, Any]) -> type[Any]:
        return registry.type_by_name(payload["class"], trusted=trusted)

    def default_dict(payload: list[Any]) -> defaultdict[Any, Any]:
        name, values = payload
        if name is None:
            return defaultdict(None, values)
        # a function would run as soon as a key is missing: for strangers' data only classes are let in
        factory = find_by_name(name) if trusted else registry.type_by_name(name, trusted=False)
        if not isinstance(factory, type) and not (qualified_name(factory) == name and may_import(name)):
            raise untrusted_class(name)
        return defaultdict(factory, values)

    return {
        "$enum": lambda payload: enum_from_payload(class_of(payload), payload),
        "$namedtuple": lambda payload: named_tuple_from_payload(class_of(payload), payload),
        "$dataclass": lambda payload: dataclass_from_payload(class_of(payload), payload),
        "$model": lambda payload: model_from_payload(class_of(payload), payload),
        "$defaultdict": default_dict,
    }
