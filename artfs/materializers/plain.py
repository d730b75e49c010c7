"""Single values: numbers, texts, dates, identifiers, enum members, and bytes."""

from __future__ import annotations

import datetime
import pathlib
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import EllipsisType, NoneType
from typing import Any, ClassVar
from uuid import UUID

from artfs.enums import ArtifactType
from artfs.errors import MaterializerError
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.json.materializer import JsonMaterializer

_LONGEST_SHOWN = 200


class PlainMaterializer(JsonMaterializer):
    """Single values of the standard library, written exactly as JSON: type, every digit, NaN, time zone and fold."""

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (
        NoneType,
        bool,
        int,
        float,
        complex,
        str,
        range,
        slice,
        EllipsisType,
        datetime.date,
        datetime.datetime,
        datetime.time,
        datetime.timedelta,
        datetime.timezone,
        zoneinfo.ZoneInfo,
        Decimal,
        Fraction,
        UUID,
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
        Enum,
    )

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the length of a text; of anything else what it looks like, where that is short."""
        if isinstance(data, str) and not isinstance(data, Enum):
            return {"length": len(data)}
        if isinstance(data, int) and data.bit_length() > _LONGEST_SHOWN:
            return {"bits": data.bit_length()}
        shown = str(data)
        return {"string_representation": shown} if len(shown) <= _LONGEST_SHOWN else {}


class BytesMaterializer(BaseMaterializer):
    """bytes and bytearray, as the file `data.bin` that holds just them."""

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (bytes, bytearray)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA
    DATA_FILE: ClassVar[str] = "data.bin"

    def save(self, data: bytes | bytearray) -> None:
        """Write the bytes."""
        Path(self.uri, self.DATA_FILE).write_bytes(data)

    def load(self, data_type: type[Any]) -> bytes | bytearray:
        """Return the bytes, as the type they were saved with.

        Raises:
            MaterializerError: `data_type` is neither bytes nor bytearray.
        """
        makers: dict[type[Any], Callable[[bytes], bytes | bytearray]] = {bytes: bytes, bytearray: bytearray}
        if data_type not in makers:
            raise MaterializerError(f"bytes can be loaded as bytes or bytearray, not as {data_type.__name__}")
        return makers[data_type](Path(self.uri, self.DATA_FILE).read_bytes())

    def extract_metadata(self, data: bytes | bytearray) -> dict[str, Any]:
        """Return the number of bytes as `length`."""
        return {"length": len(data)}
