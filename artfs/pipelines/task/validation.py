"""Checks values against annotations, and turns what stands for another type ("5" for an int) into it."""

from __future__ import annotations

import functools
from typing import Any

from artfs.errors import InvalidValue

_ANYTHING = (Any, object)


def checked(value: Any, annotation: Any, what: str) -> Any:
    """Returns the value as its annotation wants it. Raises InvalidValue when it cannot be that.

    what: how to call it in the message.
    """
    if annotation in _ANYTHING or type(value) is annotation:
        return value
    if isinstance(annotation, type) and isinstance(value, annotation):
        return value
    from pydantic import ValidationError

    try:
        fitting = _adapter(annotation).validate_python(value)
    except ValidationError as error:
        found = error.errors()[0]
        raise InvalidValue(f"{what} is {type(value).__name__}, not {_shown(annotation)}: {found['msg']}") from None
    # What is more than its annotation asks for stays what it is: an OrderedDict for dict[str, int], True for int | str.
    is_one = type(value) is not type(fitting) and isinstance(value, type(fitting))
    return value if is_one and value == fitting else fitting


@functools.lru_cache(maxsize=512)
def _adapter(annotation: Any) -> Any:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        return TypeAdapter(annotation)  # models and dataclasses bring a configuration of their own


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
