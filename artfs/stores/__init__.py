"""Where bytes live.

`BaseArtifactStore` is what a custom artifact store extends; see `artfs.stores.artifact_store` and
`artfs.stores.registry`. One that can do better than files, such as read by range, is a `StoreFlavor` and a `Backend`.
"""

from __future__ import annotations

from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.backend import Backend, Capabilities, Listed, PlaceReader, Stored
from artfs.stores.base import Store
from artfs.stores.flavor import StoreFlavor
from artfs.stores.local.store import LocalStore

__all__ = [
    "Backend",
    "BaseArtifactStore",
    "Capabilities",
    "Listed",
    "LocalStore",
    "PlaceReader",
    "Store",
    "StoreFlavor",
    "Stored",
]
