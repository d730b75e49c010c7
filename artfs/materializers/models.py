"""Dataclasses and pydantic models."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from artfs.materializers.json.materializer import JsonMaterializer

if TYPE_CHECKING:
    from pydantic import BaseModel


class DataclassMaterializer(JsonMaterializer):
    """Instances of dataclasses: the attributes as JSON, with arrays and other heavy ones beside it.

    The class is found again by its import name, and `__init__` is not called. An instance of a local class, or one
    that is more than its attributes, is pickled. A `pathlib.Path` in a field is kept as a name, not as the files.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = ()  # chosen by shape: dataclasses have no common base

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the fields and their types as `schema`."""
        return {"schema": {field.name: _type_name(field.type) for field in dataclasses.fields(data)}}


class PydanticMaterializer(JsonMaterializer):
    """pydantic models: fields, which of them were set, extra and private attributes; saved like dataclasses."""

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = ("pydantic.main.BaseModel",)

    def extract_metadata(self, data: BaseModel) -> dict[str, Any]:
        """Return the fields and their types as `schema`."""
        fields = type(data).model_fields
        return {"schema": {name: _type_name(field.annotation) for name, field in fields.items()}}


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
