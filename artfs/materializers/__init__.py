"""Materializers turn Python values into the files of a version, and back. Importing this loads none of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: public name -> module that defines it.
_EXPORTS = {
    "BaseMaterializer": "artfs.materializers.base",
    "BytesMaterializer": "artfs.materializers.plain",
    "CloudpickleMaterializer": "artfs.materializers.pickle",
    "ContainerMaterializer": "artfs.materializers.containers",
    "DataclassMaterializer": "artfs.materializers.models",
    "PathMaterializer": "artfs.materializers.paths",
    "PlainMaterializer": "artfs.materializers.plain",
    "PreexistingDataMaterializer": "artfs.materializers.paths",
    "PydanticMaterializer": "artfs.materializers.models",
    "StructuredStringMaterializer": "artfs.materializers.strings",
    "materializer_for": "artfs.materializers.registry",
}


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
