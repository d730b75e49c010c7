"""Values as digests that are the same in every process, whatever they are made of.

Plain values count by what they are, and objects by what `copy` and `pickle` would take of them, part by part. Of what
has no content of that kind (a lock, an open file, a connection) only the class counts.
"""

from __future__ import annotations

import contextvars
import copyreg
import functools
import logging
import os
import sys
import types
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from artfs.content.digest import tagged
from artfs.pipelines.fingerprint.own import is_own, module_of

_PLAIN = frozenset({str, int, float, bool, bytes, complex, type(None)})
_WEAK = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet, weakref.ref)
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))

_HELD = ("artfs.client", "artfs.objects.", "artfs.workspace.")

_UNSET = "artfs: not set"

_DEEPEST = 150
"""Values nested deeper than this cannot be compared: each time they count as others."""


class Described(ABC):
    """Describes values; functions, classes and modules are left to `reference`."""

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}
        self._alive: list[Any] = []

    @abstractmethod
    def reference(self, thing: types.FunctionType | type | types.ModuleType) -> bytes:
        """What to write for a function, class or module."""

    def keep_alive(self, thing: Any) -> None:
        """Sees to it that the id of a thing is not given to another one."""
        self._alive.append(thing)

    def describe(self, value: Any, depth: int = 0) -> bytes:
        """A digest of a value."""
        kind = type(value)
        if kind is bytes:
            return tagged(b"bytes", value)
        if kind in _PLAIN:
            return tagged(b"plain", f"{kind.__name__}:{value!r}".encode("utf-8", "surrogatepass"))
        if isinstance(value, types.FunctionType | type | types.ModuleType):
            return self.reference(value)
        if depth > _DEEPEST:
            return os.urandom(32)
        if id(value) not in self._known:
            self.keep_alive(value)
            self._known[id(value)] = tagged(b"itself", str(len(self._known)).encode())  # while it is not known yet
            self._known[id(value)] = self._described(value, functools.partial(self.describe, depth=depth + 1))
        return self._known[id(value)]

    def _described(self, value: Any, inner: Callable[[Any], bytes]) -> bytes:
        kind = type(value)
        if isinstance(value, logging.Logger | os._Environ) or value is sys.modules:
            return tagged(b"of no matter", inner(kind))  # a log is no output, and what these hold counts one by one
        if kind is list or kind is tuple:
            if set(map(type, value)) <= _PLAIN:
                return tagged(b"list", repr(value).encode("utf-8", "surrogatepass"))
            return tagged(kind.__name__.encode(), *map(inner, value))
        if kind is dict or kind is types.MappingProxyType:
            return tagged(b"dict", *(inner(part) for item in list(value.items()) for part in item))
        if isinstance(value, set | frozenset):
            return tagged(b"set", inner(kind), *sorted(map(inner, value)))
        if isinstance(value, staticmethod | classmethod):
            return tagged(kind.__name__.encode(), inner(value.__func__))
        if isinstance(value, property):
            return tagged(b"property", *map(inner, (value.fget, value.fset, value.fdel)))
        if isinstance(value, types.MethodType):
            return tagged(b"method", inner(value.__func__), inner(value.__self__))
        if isinstance(value, types.BuiltinFunctionType):
            return tagged(
                b"builtin", value.__qualname__.encode(), str(value.__module__).encode(), inner(value.__self__)
            )
        if isinstance(value, _VIEWS):
            return tagged(kind.__name__.encode(), *map(inner, value))
        if _is_step(kind):
            return inner(value.function)
        if (module_of(kind) or "").startswith(_HELD):
            # What users hold of a catalog is what it is called, not how it is reached and what was asked of it.
            return tagged(b"held", inner(kind), str(getattr(value, "id", "")).encode())
        if isinstance(value, contextvars.ContextVar):
            return tagged(b"context", value.name.encode(), *map(inner, (value.get(_UNSET),)))
        if isinstance(value, _WEAK):
            return tagged(b"weak", inner(kind))
        tensor = _tensor(value)
        return self._object(value, inner) if tensor is None else tagged(b"tensor", inner(kind), *map(inner, tensor))

    def _object(self, value: Any, inner: Callable[[Any], bytes]) -> bytes:
        kind = type(value)
        try:
            reduced = _reduced(value)
        except Exception:  # noqa: BLE001 - it cannot be pickled, which anybody's code may say in any way
            reduced = None
        if isinstance(reduced, str):  # something that is called so, as `lru_cache` makes it of a function
            return tagged(b"named", inner(kind), reduced.encode(), inner(getattr(value, "__wrapped__", None)))
        pieces = [inner(piece) for piece in reduced or ()]
        if reduced is None or _says_itself_what_to_keep(kind):
            pieces.append(inner(getattr(value, "__dict__", None)))
        return tagged(b"object", inner(kind), *pieces)


def _reduced(value: Any) -> str | list[Any]:
    """What pickle would keep of an object: a name, or the pieces to make it of."""
    reduce = copyreg.dispatch_table.get(type(value))
    reduced = reduce(value) if reduce is not None else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return reduced
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    return [make, arguments, state, list(items or ()), list(pairs or ())]


def _says_itself_what_to_keep(kind: type) -> bool:
    """Whether a class of the user's own may leave out of a pickle what its methods use."""
    return any(
        is_own(base.__module__) and {"__getstate__", "__reduce__", "__reduce_ex__"} & vars(base).keys()
        for base in kind.__mro__
    )


def _is_step(kind: type) -> bool:
    """Whether it is a step or pipeline: what is called is their function."""
    return module_of(kind) in ("artfs.pipelines.define.step", "artfs.pipelines.pipeline")


def _tensor(value: Any) -> tuple[Any, ...] | None:
    """What a tensor of torch holds; its pickle tells also where it lies in memory."""
    if not any(base.__name__ == "Tensor" and module_of(base) == "torch" for base in type(value).__mro__):
        return None
    try:
        import torch

        flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return str(value.dtype), tuple(value.shape), bool(value.requires_grad), flat.numpy().tobytes()
    except Exception:  # noqa: BLE001 - sparse, quantized, on no device: whatever it is, it can be pickled
        return None
