"""The types of metadata beside Python's own, and a name for all of them, as in ZenML."""

from __future__ import annotations

from typing import Any

from artfs.types import DType as DType
from artfs.types import Path as Path
from artfs.types import StorageSize as StorageSize
from artfs.types import Uri as Uri

_Plain = str | int | float | bool | dict[Any, Any] | list[Any] | set[Any] | tuple[Any, ...]
MetadataType = _Plain | Uri | Path | DType | StorageSize
"""What can be logged; `artfs.log_metadata` takes some more."""
