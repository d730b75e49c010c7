"""Which class serves which flavour of artifact store.

    local             a directory of this machine
    s3, gcs, azure    object stores, each in a module of its own on top of `artfs.stores.remote.fsspec`, with its extra
    custom            any class that extends BaseArtifactStore; the option `class` says which: `package.module:Class`

A class that has a `flavor` (or `FLAVOR`) of its own is registered by being defined. So that other processes find it
without importing it first, its package names it in the entry point group `artfs.stores`:

    [project.entry-points."artfs.stores"]
    shelf = "my_package.stores:ShelfStore"      # imported when a store of that flavour is first used
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from artfs.classes import dotted, untrusted_class
from artfs.errors import InvalidValue, MissingLibrary, StoreError
from artfs.stores import making
from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.backend import Backend
from artfs.stores.built_in import ALIASES, BUILT_IN, CLASS_OPTION, CUSTOM, RESERVED, BuiltIn
from artfs.stores.flavor import Defined, StoreFlavor, defined

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "artfs.stores"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Flavor:
    """A kind of artifact store, for people to choose from.

    Args:
        name: what `artifact-store register -f` takes.
        schemes: what paths of its stores begin with.
        source: where it comes from: `built in`, or whose class it is.
        problem: why it cannot be used here; None if it can.
    """

    name: str
    schemes: tuple[str, ...]
    source: str
    problem: str | None = None


class FlavorRegistry:
    """The flavours that this process knows. There is one, `registry`."""

    def __init__(self, defined: Defined) -> None:
        self._lock = threading.Lock()
        self._defined = defined
        self._installed: dict[str, type[StoreFlavor]] = {}  # loaded from entry points, by the name that was asked for

    def find(
        self, flavor: str, options: Mapping[str, Any] | None = None, allows: Callable[[str], bool] | None = None
    ) -> type[StoreFlavor]:
        """Return the class that serves a flavour, importing its module.

        Args:
            flavor: its name.
            options: of the store; the class of a custom store is one of them.
            allows: whether the module of a class, "module.Class", may be imported, where its name does not come from
                the caller.

        Raises:
            StoreError: there is no such flavour, or its class cannot be used.
            MissingLibrary: it needs a library that is not installed.
            InvalidValue: a custom store does not name its class.
            UntrustedClass: `allows` does not allow it.
        """
        flavor = ALIASES.get(flavor, flavor)
        if flavor == CUSTOM:
            return _class_named((options or {}).get(CLASS_OPTION), allows)
        if (found := self._defined.get(flavor) or self._installed.get(flavor)) is not None:
            return found
        if (built_in := BUILT_IN.get(flavor)) is not None:
            return _built_in_class(flavor, built_in)
        entry = self._entry_points().get(flavor)
        if entry is None:
            raise StoreError(
                f"no artifact store flavor '{flavor}'; known flavors are {', '.join(self._names())}; install the"
                " package that provides it",
                subject=flavor,
            )
        return self._loaded(entry)

    def flavors(self) -> list[Flavor]:
        """Return every flavour that there is here, also those that cannot be used, with the reason."""
        listed = [_described(name, built_in) for name, built_in in BUILT_IN.items()]
        listed.append(Flavor(CUSTOM, (), f"a class of your own, given as --option {CLASS_OPTION}=package.module:Class"))
        others = sorted(set(self._names()) - {flavor.name for flavor in listed})
        return listed + [self._foreign(name) for name in others]

    def _names(self) -> list[str]:
        others = {*self._defined.names(), *self._entry_points()}
        return list(dict.fromkeys([*BUILT_IN, CUSTOM, *sorted(others)]))

    def _foreign(self, name: str) -> Flavor:
        try:
            found = self.find(name)
        except StoreError as error:
            entry = self._entry_points()[name]
            return Flavor(name, (), entry.value, str(error))
        return Flavor(name, tuple(sorted(found.SUPPORTED_SCHEMES)), _shown(found))

    def _entry_points(self) -> Mapping[str, EntryPoint]:
        """What is installed now: read each time, as only flavours that were not loaded yet are looked for here."""
        from importlib.metadata import entry_points  # here: importing it takes long

        found = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
        for name in RESERVED & found.keys():
            logger.warning("the entry point %r of %s is left out: it is a flavor of artfs", name, ENTRY_POINT_GROUP)
        return {name: entry for name, entry in found.items() if name not in RESERVED}

    def _loaded(self, entry: EntryPoint) -> type[StoreFlavor]:
        try:
            found = entry.load()
        except Exception as error:  # importing runs a stranger's code, which may raise anything
            raise StoreError(
                f"the artifact store flavor '{entry.name}' cannot be used: {entry.value} cannot be imported ({error})",
                subject=entry.name,
            ) from error
        store = _checked(found, entry.value)
        with self._lock:
            # Under the name that was asked for, whatever the class calls itself.
            return self._installed.setdefault(entry.name, store)


registry = FlavorRegistry(defined)


def store_class(
    flavor: str, options: Mapping[str, Any] | None = None, allows: Callable[[str], bool] | None = None
) -> type[StoreFlavor]:
    """Return the class that serves a flavour; see `FlavorRegistry.find`."""
    return registry.find(flavor, options, allows)


def check_options(
    flavor: str, options: Mapping[str, Any], allows: Callable[[str], bool] | None = None
) -> type[StoreFlavor]:
    """Return the class that serves a flavour; raises InvalidValue for an option that its stores do not take."""
    own = {name: value for name, value in options.items() if (flavor, name) != (CUSTOM, CLASS_OPTION)}
    found = registry.find(flavor, options, allows)
    making.check_options(found, own)
    return found


def _described(name: str, built_in: BuiltIn) -> Flavor:
    try:
        _built_in_class(name, built_in)
    except (StoreError, MissingLibrary) as error:
        return Flavor(name, built_in.schemes, "built in", str(error))
    return Flavor(name, built_in.schemes, "built in")


def _built_in_class(flavor: str, built_in: BuiltIn) -> type[StoreFlavor]:
    module, _, name = built_in.target.partition(":")
    try:
        found: type[StoreFlavor] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise StoreError(
                f"the artifact store flavor '{flavor}' is not part of this release yet (it will come with the extra"
                f" artfs[{built_in.extra}]): use a local store until then",
                subject=flavor,
            ) from None
        raise MissingLibrary(
            f"the artifact store flavor '{flavor}' needs {error.name}: pip install 'artfs[{built_in.extra}]'",
            subject=flavor,
        ) from error
    return found


def _class_named(target: Any, allows: Callable[[str], bool] | None) -> type[StoreFlavor]:
    """The class that `package.module:Class`, or the same with a dot, names."""
    if not isinstance(target, str) or not target:
        raise InvalidValue(f"a custom artifact store needs the option '{CLASS_OPTION}': package.module:Class")
    module, _, name = target.partition(":") if ":" in target else target.rpartition(".")
    if allows is not None and module not in sys.modules and not allows(dotted(target)):
        raise untrusted_class(dotted(target))
    try:
        found = getattr(import_module(module), name) if module and name else None
    except Exception as error:  # importing runs a stranger's code, which may raise anything
        raise StoreError(
            f"the artifact store class {target} cannot be imported ({error}): check its name, or install it here",
            subject=target,
        ) from error
    return _checked(found, target)


def _checked(found: Any, target: str) -> type[StoreFlavor]:
    is_store = isinstance(found, type) and issubclass(found, (Backend, BaseArtifactStore))
    if not is_store or not issubclass(found, StoreFlavor):
        raise StoreError(f"{target} is no artifact store: it is no subclass of BaseArtifactStore", subject=target)
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise StoreError(f"{target} is no complete artifact store: it lacks {missing}", subject=target)
    return found


def _shown(store: type[StoreFlavor]) -> str:
    return f"{store.__module__}.{store.__qualname__}"
