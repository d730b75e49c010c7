"""Which built-in materializer handles which type: names only, so that choosing imports nothing.

Types are named "module.QualName" by the `__module__` and `__qualname__` of the class itself, which may differ from
where it is usually imported from (`pandas.core.frame.DataFrame` up to pandas 2, `pandas.DataFrame` from pandas 3).
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

from artfs.materializers import builtin_libraries

_PACKAGE = "artfs.materializers"
_PLAIN = f"{_PACKAGE}.plain.PlainMaterializer"
CONTAINER = f"{_PACKAGE}.containers.ContainerMaterializer"
_BYTES = f"{_PACKAGE}.plain.BytesMaterializer"
_PATH = f"{_PACKAGE}.paths.PathMaterializer"
_DATACLASS = f"{_PACKAGE}.models.DataclassMaterializer"
_PYDANTIC = f"{_PACKAGE}.models.PydanticMaterializer"
_STRUCTURED_STRING = f"{_PACKAGE}.strings.StructuredStringMaterializer"

#: What saves a value of a type that nothing else is known for.
FALLBACK = f"{_PACKAGE}.pickle.CloudpickleMaterializer"

#: What writes values as JSON; inside of a container they stand in the container's own JSON file.
INLINE = frozenset({_PLAIN, CONTAINER, _BYTES, _DATACLASS, _PYDANTIC})

#: The base classes of pydantic's models, and of numpy's scalars, which stand in a container's JSON file too.
PYDANTIC_MODEL = "pydantic.main.BaseModel"
NUMPY_SCALAR = "numpy.generic"

#: Types whose values are saved faithfully only if they are of exactly this type: an instance of a subclass may carry
#: more than the value (`numpy.float64` is a `float`, and a `dict` subclass may have attributes).
EXACT_TYPES = MappingProxyType(
    {
        "builtins.NoneType": _PLAIN,
        "builtins.bool": _PLAIN,
        "builtins.int": _PLAIN,
        "builtins.float": _PLAIN,
        "builtins.complex": _PLAIN,
        "builtins.str": _PLAIN,
        "builtins.range": _PLAIN,
        "builtins.slice": _PLAIN,
        "builtins.ellipsis": _PLAIN,
        "datetime.date": _PLAIN,
        "datetime.datetime": _PLAIN,
        "datetime.time": _PLAIN,
        "datetime.timedelta": _PLAIN,
        "datetime.timezone": _PLAIN,
        "zoneinfo.ZoneInfo": _PLAIN,
        "decimal.Decimal": _PLAIN,
        "fractions.Fraction": _PLAIN,
        "uuid.UUID": _PLAIN,
        "pathlib.PurePosixPath": _PLAIN,
        "pathlib.PureWindowsPath": _PLAIN,
        "builtins.bytes": _BYTES,
        "builtins.bytearray": _BYTES,
        "builtins.list": CONTAINER,
        "builtins.tuple": CONTAINER,
        "builtins.dict": CONTAINER,
        "builtins.set": CONTAINER,
        "builtins.frozenset": CONTAINER,
        "collections.OrderedDict": CONTAINER,
        "collections.Counter": CONTAINER,
        "collections.defaultdict": CONTAINER,
        "collections.deque": CONTAINER,
        "pathlib.Path": _PATH,  # what annotations say; values are of one of the next two
        "pathlib.PosixPath": _PATH,
        "pathlib.WindowsPath": _PATH,
        "artfs.types.CSVString": _STRUCTURED_STRING,
        "artfs.types.HTMLString": _STRUCTURED_STRING,
        "artfs.types.JSONString": _STRUCTURED_STRING,
        "artfs.types.MarkdownString": _STRUCTURED_STRING,
        **builtin_libraries.EXACT_TYPES,
    }
)

#: Types whose subclasses are saved by the same materializer.
TYPES_WITH_SUBCLASSES = MappingProxyType(
    {
        "enum.Enum": _PLAIN,
        PYDANTIC_MODEL: _PYDANTIC,
        **builtin_libraries.TYPES_WITH_SUBCLASSES,
    }
)


def is_built_in(name: str) -> bool:
    """Return whether a materializer of this name comes with artfs."""
    return name.startswith(f"{_PACKAGE}.")


def by_content(data: Any) -> str | None:
    """Return the materializer of a container that is more than the sum of its elements (a state dict), or None."""
    return builtin_libraries.by_content(data)


def by_shape(data_type: type) -> str | None:
    """Return the materializer of types that have no base class of their own: named tuples and dataclasses."""
    if issubclass(data_type, tuple) and hasattr(data_type, "_fields"):
        return CONTAINER
    if dataclasses.is_dataclass(data_type):
        return _DATACLASS
    return None
