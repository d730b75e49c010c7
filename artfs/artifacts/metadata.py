"""What is logged about versions: values of any type that comes back as it was."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from artfs.catalog.values import encode
from artfs.errors import InvalidValue
from artfs.names import check_metadata_key

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

REGISTERED_FROM = "registered_from"
"""What a version of data in place says of where that is: the path or URI that the user registered."""


def log(workspace: Workspace, version: Version, metadata: Mapping[str, Any]) -> None:
    """Log values about a version, all of them or none; raises InvalidValue."""
    workspace.catalog.metadata.set(version.id, storable(metadata))


def storable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with numpy scalars as the Python values that they are.

    Raises:
        InvalidValue: a key or value cannot be stored.
    """
    if not isinstance(metadata, Mapping):
        raise InvalidValue(f"metadata must be a dictionary, not {type(metadata).__name__}")
    values: dict[str, Any] = {}
    for key, value in metadata.items():
        check_metadata_key(key)
        try:
            values[key] = _plain(value)
            encode(values[key])
        except InvalidValue as error:
            raise InvalidValue(f"metadata '{key}': {error}", subject=key) from None
    return values


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(_plain(each) for each in value)
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    numpy = sys.modules.get("numpy")
    generic = getattr(numpy, "generic", None)  # another thread may be half-way through importing it
    if numpy is None or generic is None or not isinstance(value, generic):
        return value
    plain = value.item()
    if isinstance(value, numpy.datetime64) and isinstance(plain, int):
        # Nanoseconds: a datetime has microseconds.
        rounded = value.astype("datetime64[us]")
        if rounded != value:
            raise InvalidValue(f"{value} has more digits than a datetime can hold: give it as text")
        return rounded.item()
    return plain
