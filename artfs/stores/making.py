"""From a class that serves a flavour to a store: what is not on this machine goes behind a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from artfs.errors import StoreError
from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.backend import Backend
from artfs.stores.base import Store
from artfs.stores.flavor import StoreFlavor


def make_store(
    flavor: type[StoreFlavor], root: str, options: Mapping[str, Any], *, id: int | None = None, name: str = ""
) -> Store:
    """Return the store of a flavour at a root.

    Args:
        flavor: the class that serves the flavour.
        root: directory or URI.
        options: of the flavour, and those of `Patience`.
        id: the store's row in the catalog.
        name: what people call it.

    Raises:
        InvalidValue: there can be no such store at the root, or an option makes no sense.
        StoreError: the class is no store.
    """
    if issubclass(flavor, Store):
        return flavor(root, options, id=id, name=name)
    from artfs.stores.adapted import AdaptedBackend
    from artfs.stores.remote.deadline import DeadlineStore, Patience

    own = {option: value for option, value in options.items() if option not in Patience.OPTIONS}
    made = flavor(root, own, id=id, name=name)
    if isinstance(made, Backend):
        return DeadlineStore(made, Patience.of(options))
    if isinstance(made, BaseArtifactStore):
        return DeadlineStore(AdaptedBackend(made), Patience.of(options))
    raise StoreError(f"{flavor.__module__}.{flavor.__qualname__} is no artifact store", subject=flavor.__qualname__)


def check_options(flavor: type[StoreFlavor], options: Mapping[str, Any]) -> None:
    """Raise InvalidValue for an option that stores of a flavour do not take, or a value that makes no sense."""
    if issubclass(flavor, Store):
        flavor.check_options(options)
        return
    from artfs.stores.remote.deadline import Patience

    flavor.check_options({option: value for option, value in options.items() if option not in Patience.OPTIONS})
    Patience.of(options)
