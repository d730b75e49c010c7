"""Where bytes live."""

from __future__ import annotations

from artfs.stores.base import PlaceReader, Store
from artfs.stores.local import LocalStore

__all__ = ["LocalStore", "PlaceReader", "Store"]
