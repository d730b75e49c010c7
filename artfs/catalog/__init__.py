"""What exists: artifacts, versions, trees, runs and what connects them. All SQL of artfs is in this package."""

from __future__ import annotations

from artfs.catalog.blobs import Place
from artfs.catalog.catalog import Catalog

__all__ = ["Catalog", "Place"]
