"""Where bytes live.

`BaseArtifactStore` is what a custom artifact store extends; see `artfs.stores.base` and `artfs.stores.registry`.
"""

from __future__ import annotations

from artfs.stores.base import PlaceReader, Store
from artfs.stores.local import LocalStore

BaseArtifactStore = Store
"""What the documentation of ZenML calls it."""

__all__ = ["BaseArtifactStore", "LocalStore", "PlaceReader", "Store"]
