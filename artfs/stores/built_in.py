"""The flavours of artfs itself, by name, without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CUSTOM = "custom"
CLASS_OPTION = "class"
"""The option of a custom store that names its class."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A flavour of artfs itself.

    Args:
        target: its class, as `module:Class`; a module that this release does not have makes the flavour unusable.
        schemes: what roots of its stores begin with.
        extra: what to install for it, `artfs[extra]`.
    """

    target: str
    schemes: tuple[str, ...]
    extra: str | None = None


BUILT_IN: Mapping[str, BuiltIn] = {
    "local": BuiltIn("artfs.stores.local.store:LocalStore", ("/", "file://")),
    "s3": BuiltIn("artfs.stores.s3:S3Store", ("s3://",), "s3"),
    "gcs": BuiltIn("artfs.stores.gcs:GCSStore", ("gs://",), "gcs"),
    "azure": BuiltIn("artfs.stores.azure:AzureStore", ("abfs://", "az://"), "azure"),
}

ALIASES = {"gcp": "gcs"}
"""What flavours are called elsewhere."""

RESERVED = frozenset((*BUILT_IN, *ALIASES, CUSTOM))
"""Names that no other class may serve."""
