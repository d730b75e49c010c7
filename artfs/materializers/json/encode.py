"""The JSON form of Python values: what is plain is written as JSON, exactly; the rest becomes items beside it.

JSON's own types stand for themselves: null, true, 1, 1.5, "text", [a list] and {"a": "dict"} with text keys. All else
is an object with one key that begins with "$":

    {"$tuple": [...]}  {"$set": [...]}  {"$frozenset": [...]}  {"$deque": [[...], maxlen]}
    {"$dict": [[key, value], ...]}      a dict with other keys than texts, or with a key that begins with "$"
    {"$ordereddict": dict}  {"$counter": dict}  {"$defaultdict": [factory, dict]}
    {"$enum": {"class", "name"}}  {"$namedtuple": {"class", "fields", "unlike"}}
    {"$dataclass": {"class", "fields", "unlike", "beside"}}
    {"$model": {"class", "fields", "unlike", "set", "extra", "private", "beside"}}
    {"$datetime": "2024-05-01T12:00:00+00:00"} ...      single values: see json_scalars
    {"$item": {"path", "materializer", "type"}}         saved by its own materializer in the directory `path`
    {"$pickled": n}                                     element n of the list pickled in the directory items/pickled

Sets are written in a fixed order, so that equal values give equal files. An object that stands in several places is
one item, and one object again when loaded; equal lists and dicts in several places are written out each time.
"""

from __future__ import annotations

import json
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

from artfs.classes import qualified_name, recorded, recorded_name
from artfs.errors import MaterializerError
from artfs.materializers import builtin, builtin_libraries
from artfs.materializers.instances.fields import (
    NotInline,
    dataclass_to_fields,
    enum_to_payload,
    named_tuple_to_fields,
    require_importable,
)
from artfs.materializers.instances.fitting import UNLIKE, unlike
from artfs.materializers.instances.pydantic_models import model_to_payload
from artfs.materializers.json.pandas_scalars import to_parts as pandas_to_parts
from artfs.materializers.json.scalars import (
    ATOMS,
    SCALARS,
    armoured,
    numpy_to_payload,
    path_to_payload,
)
from artfs.materializers.registry import registry

ITEMS = "items"
PICKLED = f"{ITEMS}/pickled"

_LONGEST_INLINE_BYTES = 64 * 1024
_LONGEST_ITEM_NAME = 60

#: Where in the value an element stands: keys and indices from the outside in.
Place = tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A value that is saved by its own materializer, in the directory `path` beside the JSON file."""

    path: str
    materializer: str
    value: Any


@dataclass(frozen=True)
class EncodedJson:
    """A value in JSON form: the text, and what has to be saved beside it."""

    text: bytes
    items: tuple[Item, ...]
    pickled: tuple[Any, ...]


def encode(value: Any, *, paths_are_names: bool = False) -> EncodedJson:
    """Return the JSON form of any value.

    Args:
        value: anything.
        paths_are_names: whether a path stands for itself, and not for the files that it leads to.

    Raises:
        MaterializerError: the value is nested more deeply than Python can follow.
    """
    encoder = _Encoder(paths_are_names)
    try:
        tree = encoder.root(value)
        text = _dump(tree)
    except RecursionError as error:
        raise MaterializerError(
            f"this {type(value).__name__} is nested too deeply to be saved: flatten it, or write a materializer for it"
        ) from error
    return EncodedJson(text, tuple(encoder.items), tuple(encoder.pickled))


class _Cycle(Exception):
    """A container was met inside itself."""

    def __init__(self, container: int) -> None:
        super().__init__(container)
        self.container = container


class _Encoder:
    """Walks one value; `items` and `pickled` gather what cannot be written as JSON."""

    def __init__(self, paths_are_names: bool) -> None:
        self.items: list[Item] = []
        self.pickled: list[Any] = []
        self._forms: dict[int, dict[str, Any]] = {}  # of items and pickled values, by the value's id
        self._names = {PICKLED}
        self._open: set[int] = set()  # ids of the containers that are being walked
        self._inside_instance = int(paths_are_names)
        self._encoders: dict[type, Callable[[Any, Place], Any]] = {}

    def root(self, value: Any) -> Any:
        """Return the tree of the outermost value: by its structure, whatever is registered for its type."""
        encoder = self._structural(type(value))
        return self._encoded(value, (), encoder) if encoder is not None else self._element(value, ())

    def _element(self, value: Any, place: Place) -> Any:
        kind = type(value)
        encoder = self._encoders.get(kind)
        if encoder is None:
            encoder = self._encoders[kind] = self._chosen(kind)
        return self._encoded(value, place, encoder)

    def _encoded(self, value: Any, place: Place, encoder: Callable[[Any, Place], Any]) -> Any:
        key = id(value)
        if key in self._open:
            raise _Cycle(key)
        before = len(self.items), len(self.pickled)
        self._open.add(key)
        try:
            return encoder(value, place)
        except NotInline:
            return self._as_pickled(value, place)
        except _Cycle as cycle:
            if cycle.container != key:
                raise
            self._forget_since(*before)
            return self._as_pickled(value, place)
        finally:
            self._open.discard(key)

    def _chosen(self, kind: type) -> Callable[[Any, Place], Any]:
        """Return how elements of this type are written: as the registry says, which may know a better way than JSON."""
        name = registry.name_for(kind)
        if name in builtin.INLINE:
            return self._structural(kind) or self._as_pickled
        if builtin.is_built_in(name):
            if any(qualified_name(base) == builtin.NUMPY_SCALAR for base in kind.__mro__):
                return self._numpy_scalar
            if name == builtin_libraries.PANDAS_SCALAR:
                return self._pandas_scalar
            if issubclass(kind, PurePath):
                return self._path
        if name == builtin.FALLBACK:
            return self._as_pickled
        return self._as_item

    def _structural(self, kind: type) -> Callable[[Any, Place], Any] | None:
        if kind in ATOMS:
            return _as_it_is
        if kind is bytes or kind is bytearray:
            return self._bytes
        if kind in SCALARS:
            return self._scalar
        by_type: dict[type, Callable[[Any, Place], Any]] = {
            list: self._list,
            dict: self._dict,
            tuple: self._tuple,
            set: self._set,
            frozenset: self._set,
            deque: self._deque,
            OrderedDict: self._ordered_dict,
            Counter: self._ordered_dict,
            defaultdict: self._defaultdict,
        }
        if kind in by_type:
            return by_type[kind]
        if issubclass(kind, Enum):
            return lambda value, _: {"$enum": enum_to_payload(value)}
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return self._named_tuple
        if any(qualified_name(base) == builtin.PYDANTIC_MODEL for base in kind.__mro__):
            return self._model
        if is_dataclass(kind):
            return self._dataclass
        return None

    # -- values of one type: each returns the JSON tree --

    def _list(self, values: Iterable[Any], place: Place) -> list[Any]:
        values = values if type(values) is list else list(values)
        if ATOMS.issuperset(map(type, values)):
            return values
        return [
            value if type(value) in ATOMS else self._element(value, (*place, str(index)))
            for index, value in enumerate(values)
        ]

    def _dict(self, values: Mapping[Any, Any], place: Place) -> dict[str, Any]:
        if all(type(key) is str for key in values) and not any(key.startswith("$") for key in values):
            return {
                key: value if type(value) in ATOMS else self._element(value, (*place, key))
                for key, value in values.items()
            }
        pairs = []
        for index, (key, value) in enumerate(values.items()):
            name = str(key) if type(key) in ATOMS else str(index)
            pairs.append([self._element(key, (*place, name, "key")), self._element(value, (*place, name))])
        return {"$dict": pairs}

    def _tuple(self, values: tuple[Any, ...], place: Place) -> dict[str, Any]:
        return {"$tuple": self._list(values, place)}

    def _set(self, values: set[Any] | frozenset[Any], place: Place) -> dict[str, Any]:
        kinds = set(map(type, values))
        if kinds == {int} or kinds == {str}:
            elements = sorted(values)
        else:
            elements = sorted(self._list(values, place), key=lambda element: json.dumps(element, sort_keys=True))
        return {f"${type(values).__name__}": elements}

    def _deque(self, values: deque[Any], place: Place) -> dict[str, Any]:
        return {"$deque": [self._list(values, place), values.maxlen]}

    def _ordered_dict(self, values: dict[Any, Any], place: Place) -> dict[str, Any]:
        if vars(values):  # attributes that somebody set on it
            raise NotInline
        return {f"${type(values).__name__.lower()}": self._dict(values, place)}

    def _defaultdict(self, values: defaultdict[Any, Any], place: Place) -> dict[str, Any]:
        factory = values.default_factory
        if factory is not None:
            require_importable(factory)
        name = None if factory is None else recorded_name(factory)
        return {"$defaultdict": [name, self._dict(values, place)]}

    def _named_tuple(self, value: Any, place: Place) -> dict[str, Any]:
        fields = named_tuple_to_fields(value)
        found = {"fields": self._dict(fields, place), UNLIKE: unlike(type(value), fields)}
        return {"$namedtuple": {"class": recorded_name(type(value)), **found}}

    def _dataclass(self, value: Any, place: Place) -> dict[str, Any]:
        fields, beside = dataclass_to_fields(value)
        found = {"fields": self._attributes(fields, place), UNLIKE: unlike(type(value), fields)}
        others = {"beside": self._attributes(beside, place)} if beside else {}
        return {"$dataclass": {"class": recorded_name(type(value)), **found, **others}}

    def _model(self, value: Any, place: Place) -> dict[str, Any]:
        payload = model_to_payload(value)
        attributes = {
            part: payload[part] and self._attributes(payload[part], place)
            for part in ("fields", "extra", "private", "beside")
        }
        return {"$model": {"class": recorded_name(type(value)), **payload, **attributes}}

    def _attributes(self, values: Mapping[str, Any], place: Place) -> Any:
        self._inside_instance += 1
        try:
            return self._dict(values, place)
        finally:
            self._inside_instance -= 1

    def _bytes(self, value: bytes | bytearray, place: Place) -> dict[str, Any]:
        if len(value) > _LONGEST_INLINE_BYTES:
            return self._as_item(value, place)
        return self._scalar(value, place)

    def _path(self, value: PurePath, place: Place) -> dict[str, Any]:
        """Return a path: in a dataclass or model it is a setting, a name; elsewhere it stands for its files."""
        return {"$path": path_to_payload(value)} if self._inside_instance else self._as_item(value, place)

    @staticmethod
    def _scalar(value: Any, _: Place) -> dict[str, Any]:
        scalar = SCALARS[type(value)]
        return {f"${scalar.tag}": scalar.to_payload(value)}

    def _numpy_scalar(self, value: Any, place: Place) -> dict[str, Any]:
        try:
            return {"$numpy": numpy_to_payload(value)}
        except NotInline:
            return self._as_item(value, place)

    def _pandas_scalar(self, value: Any, place: Place) -> dict[str, Any]:
        return {"$pandas": self._list(pandas_to_parts(value), place)}

    # -- what is saved beside the JSON file --

    def _as_item(self, value: Any, place: Place) -> dict[str, Any]:
        kind = type(value)
        if not (registry.can_find(kind) or registry.for_type(kind).KNOWS_TYPE):  # it could not be told what to load
            return self._as_pickled(value, place)
        form = self._forms.get(id(value))
        if form is None:
            item = Item(self._new_path(place), registry.name_for(type(value)), value)
            self.items.append(item)
            form = {
                "path": item.path,
                "materializer": recorded(item.materializer),
                "type": recorded_name(type(value)),
            }
            form = self._forms[id(value)] = {"$item": form}
        return form

    def _as_pickled(self, value: Any, _: Place) -> dict[str, Any]:
        form = self._forms.get(id(value))
        if form is None:
            form = self._forms[id(value)] = {"$pickled": len(self.pickled)}
            self.pickled.append(value)
        return form

    def _forget_since(self, items: int, pickled: int) -> None:
        for value in [*(item.value for item in self.items[items:]), *self.pickled[pickled:]]:
            del self._forms[id(value)]
        del self.items[items:]
        del self.pickled[pickled:]

    def _new_path(self, place: Place) -> str:
        """Return a directory for an item, named after where it stands in the value, so that people find it."""
        readable = re.sub(r"[^\w.-]+", "_", ".".join(place)).lstrip(".")[:_LONGEST_ITEM_NAME] or "value"
        path, count = f"{ITEMS}/{readable}", 1
        while path.casefold() in self._names:
            count += 1
            path = f"{ITEMS}/{readable}-{count}"
        self._names.add(path.casefold())
        return path


def _as_it_is(value: Any, _: Place) -> Any:
    return value


def _dump(tree: Any) -> bytes:
    try:
        return _strict_json(tree)
    except ValueError:  # NaN, an endless integer, a lone surrogate: rare, so looked for only now
        return _strict_json(armoured(tree))


def _strict_json(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, check_circular=False).encode() + b"\n"
