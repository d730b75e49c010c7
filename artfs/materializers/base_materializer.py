"""The same as `artfs.materializers.base`, under the name that it has in ZenML."""

from __future__ import annotations

from artfs.materializers.base import BaseMaterializer as BaseMaterializer
