"""Which materializer saves a value of which type, and which class a recorded name stands for.

The most specific type wins: the classes of the value's MRO are looked up one after the other. At each of them a
materializer that somebody defined or installed comes before a built-in one; the newest definition wins, so that a
notebook cell can be run again. What nothing matches is pickled.

Packages add materializers through the entry point group `artfs.materializers`:

    [project.entry-points."artfs.materializers"]
    "my_package.things.Thing" = "my_package.artfs:ThingMaterializer"    # imported when a Thing is first met
    everything = "my_package.artfs"                                     # no dot in the name: imported at first use
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, get_origin

from artfs.classes import dotted, find_by_name, importing_only, is_importable, qualified_name
from artfs.errors import ClassNotFound, MaterializerNotFound, UntrustedClass, UntrustedPickle
from artfs.materializers import builtin
from artfs.materializers.base import BaseMaterializer, DefinedMaterializers, defined

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "artfs.materializers"

logger = logging.getLogger(__name__)


class MaterializerRegistry:
    """The materializers that this process knows. There is one, `registry`."""

    def __init__(self, defined: DefinedMaterializers) -> None:
        self._installing = threading.RLock()  # held while entry points are read; never needed to define a class
        self._defined = defined
        self._announced: dict[str, EntryPoint] = {}  # installed for a type, and not imported yet
        self._installed_read = False

    def registered(self, kinds: Collection[Any] | None = None) -> list[type[BaseMaterializer]]:
        """Return what was registered for these classes or what they derive from, by name; None: for any class."""
        names = None if kinds is None else {qualified_name(base) for kind in kinds for base in _bases(kind)}
        found = {each for name, each in self._defined.by_type.items() if names is None or name in names}
        return sorted(found, key=qualified_name)

    def name_for(self, data_type: type[Any]) -> str:
        """Return the name of the materializer for values of `data_type`, without importing a built-in one."""
        self._read_installed()
        for base in data_type.__mro__[:-1]:
            name = qualified_name(base)
            custom = self._custom(name)
            if custom is not None:
                return custom
            built_in = builtin.TYPES_WITH_SUBCLASSES.get(name)
            if built_in is None and base is data_type:
                built_in = builtin.EXACT_TYPES.get(name)
            if built_in is not None:
                return built_in
        return builtin.by_shape(data_type) or self._custom("builtins.object") or builtin.FALLBACK

    def for_type(self, data_type: type[Any]) -> type[BaseMaterializer]:
        """Return the materializer for values of `data_type`; an annotation like `dict[str, int]` counts as `dict`."""
        origin = get_origin(data_type) or data_type
        return self.by_name(self.name_for(origin))

    def for_value(self, data: Any) -> type[BaseMaterializer]:
        """Return the materializer for a value: that of its type, unless what a container holds asks for another."""
        name = self.name_for(type(data))
        return self.by_name(builtin.by_content(data) or name if name == builtin.CONTAINER else name)

    def by_name(self, name: str, *, trusted: bool = True) -> type[BaseMaterializer]:
        """Return the materializer that was recorded as `name`, importing its module.

        Raises:
            MaterializerNotFound: there is no such class, or it is no materializer.
            UntrustedPickle: a module that is not artfs's would have to be imported, and `trusted` is False.
            UntrustedClass: the same, and `importing_only` does not allow it.
        """
        found: Any = self._defined.by_name.get(name)
        if found is None:
            try:
                found = _find(name, trusted or builtin.is_built_in(name))
            except ClassNotFound as error:
                raise MaterializerNotFound(
                    f"the materializer {name} cannot be imported: install the package it comes from, or name another"
                    f" materializer ({error.__cause__ or error})",
                    subject=name,
                ) from error
        if not (isinstance(found, type) and issubclass(found, BaseMaterializer)):
            raise MaterializerNotFound(
                f"{name} is no materializer: it is no subclass of BaseMaterializer", subject=name
            )
        return found

    def type_by_name(self, name: str, *, trusted: bool = True) -> type[Any]:
        """Return the class of values that was recorded as `name`.

        Raises:
            ClassNotFound: it cannot be imported, or is no class.
            UntrustedPickle: its module would have to be imported, and `trusted` is False.
            UntrustedClass: the same, and `importing_only` does not allow it.
        """
        found = self._defined.types.get(name) or _find(_BUILTIN_ALIASES.get(name, name), trusted)
        if not isinstance(found, type):
            raise ClassNotFound(f"{name} is needed to load this value, but is no class (any more)", subject=name)
        return found

    def type_to_load(self, name: str, materializer: type[BaseMaterializer], *, trusted: bool = True) -> type[Any]:
        """Return what to pass to `materializer.load` for a value whose class was recorded as `name`.

        That is the class; or `object`, if the class cannot be found and the materializer does not need it (values of
        local classes, for example, are pickled with their class).

        Raises:
            ClassNotFound, UntrustedPickle: as `type_by_name`, where the materializer needs the class.
        """
        try:
            return self.type_by_name(name, trusted=trusted)
        except (ClassNotFound, UntrustedPickle):
            if not materializer.KNOWS_TYPE:
                raise
            return object

    def can_find(self, data_type: type[Any]) -> bool:
        """Return whether `type_by_name` will find this class again: it was registered, or its module has it."""
        return self._defined.types.get(qualified_name(data_type)) is data_type or is_importable(data_type)

    def _custom(self, type_name: str) -> str | None:
        registered = self._defined.by_type.get(type_name)
        if registered is None and type_name in self._announced:
            with self._installing:
                if type_name in self._announced:
                    self._load(self._announced.pop(type_name), type_name)
            registered = self._defined.by_type.get(type_name)
        return qualified_name(registered) if registered is not None else None

    def _read_installed(self) -> None:
        with self._installing:
            if self._installed_read:
                return
            self._installed_read = True  # first: what is imported here may ask for a materializer itself
            from importlib.metadata import entry_points  # here: importing it takes longer than all the rest

            for entry in entry_points(group=ENTRY_POINT_GROUP):
                if "." in entry.name:
                    self._announced[entry.name] = entry
                else:
                    self._load(entry, None)

    def _load(self, entry: EntryPoint, type_name: str | None) -> None:
        """Import an entry point. One that fails is reported, and does not stop other types from being saved."""
        try:
            loaded = entry.load()
            if type_name is not None:
                self._defined.by_type.setdefault(type_name, self._checked(loaded, entry))
        except Exception as error:  # noqa: BLE001 - importing runs a stranger's code, which may raise anything
            logger.warning("the entry point %r of %s is left out: %s", entry.name, ENTRY_POINT_GROUP, error)

    @staticmethod
    def _checked(loaded: Any, entry: EntryPoint) -> type[BaseMaterializer]:
        if isinstance(loaded, type) and issubclass(loaded, BaseMaterializer):
            return loaded
        raise MaterializerNotFound(f"{entry.value} is no subclass of BaseMaterializer", subject=entry.value)


registry = MaterializerRegistry(defined)


def materializer_for(data: Any) -> type[BaseMaterializer]:
    """Return the materializer for a value, or for the values of a class.

    A class stands for its instances here; to save a class itself, ask for `materializer_for(type)`.
    """
    if isinstance(data, type) or get_origin(data) is not None:
        return registry.for_type(data)
    return registry.for_value(data)


#: Classes whose own name is not where they can be found.
_BUILTIN_ALIASES = {"builtins.NoneType": "types.NoneType", "builtins.ellipsis": "types.EllipsisType"}


def _find(name: str, trusted: bool) -> Any:
    """What is called so; what an installed package announces may be imported, as somebody installed it on purpose."""
    try:
        return find_by_name(name, trusted=trusted)
    except UntrustedClass:
        if not _is_announced(name):
            raise
    with importing_only(lambda _: True):
        return find_by_name(name)


def _is_announced(name: str) -> bool:
    from importlib.metadata import entry_points  # here: importing it takes longer than all the rest

    return any(
        name in (entry.name, dotted(entry.value)) or name.startswith(f"{entry.value}.")
        for entry in entry_points(group=ENTRY_POINT_GROUP)
    )


def _bases(kind: Any) -> tuple[type, ...]:
    return kind.__mro__ if isinstance(kind, type) else ()
