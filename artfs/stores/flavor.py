"""What serves a flavour: a class that knows which roots and options its stores may have.

A class with a `flavor` name (or `FLAVOR`, as ZenML spells it) is registered by being defined, see
`artfs.stores.registry`. It is an artifact store of file operations (`artfs.stores.artifact_store`) or a backend
(`artfs.stores.backend`).
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from artfs.errors import InvalidValue, OutsideStore
from artfs.secrets.redaction import has_secret, redacted
from artfs.stores.built_in import RESERVED

PathType = str | bytes | Path


class StoreFlavor:
    """A root, and the options with which it is used.

    Args:
        root: a directory or URI.
        options: settings of the flavour.
        id: the row in the catalog, if it is registered.
        name: what people call it.
    """

    #: What `artifact-store register -f` calls the class. One without a name of its own is reached as `custom`.
    flavor: str = "custom"
    #: What a root begins with: `{"s3://"}`, or `/` for absolute local paths.
    SUPPORTED_SCHEMES: ClassVar[set[str]] = set()
    #: The options that the flavour takes. Secrets are none: they stay out of the catalog, in the client's environment.
    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "FLAVOR" in cls.__dict__:
            cls.flavor = cls.__dict__["FLAVOR"]
        if "flavor" in cls.__dict__ and not inspect.isabstract(cls):
            defined.add(cls)

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, *, id: int | None = None, name: str = ""
    ) -> None:
        self.root = self.check_root(root)
        self.options: Mapping[str, Any] = options or {}
        self.id = id
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.root!r})"

    @classmethod
    def check_root(cls, root: str) -> str:
        """Return `root` as the flavour will use it, or raise InvalidValue when no store of it can be there."""
        scheme = next((each for each in sorted(cls.SUPPORTED_SCHEMES, key=len) if root.startswith(each)), None)
        if scheme is None:
            schemes = ", ".join(sorted(cls.SUPPORTED_SCHEMES)) or "a scheme, but its class names none"
            raise InvalidValue(
                f"a {cls.flavor} store cannot be at {redacted(root)!r}: its path must begin with {schemes}"
            )
        if why := _root_fault(root, scheme):
            raise InvalidValue(f"a {cls.flavor} store cannot be at {redacted(root)!r}: {why}")
        return root.rstrip("/") or "/"

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Raise InvalidValue for an option that the flavour does not take."""
        for name in sorted(options.keys() - cls.OPTIONS):
            known = f"it takes {', '.join(sorted(cls.OPTIONS))}" if cls.OPTIONS else "it takes none"
            raise InvalidValue(
                f"a {cls.flavor} store has no option '{name}': {known}; passwords and keys belong in the environment",
                subject=name,
            )

    @property
    def path(self) -> str:
        """The root."""
        return self.root

    def inside(self, path: PathType) -> str:
        """Return the full path or URI of `path` (relative to the root, or full), or raise OutsideStore."""
        text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
        relative = _relative_to(self.root, text) if _is_full(text) else text.split("/")
        if relative is None or ".." in relative or any("\0" in part for part in relative):
            raise OutsideStore(f"'{text}' leads out of the store at '{self.root}'", subject=text)
        return "/".join([self.root.rstrip("/"), *(part for part in relative if part not in ("", "."))])


class Defined:
    """The flavours that classes of this process defined, by name. There is one, `defined`.

    `artfs.stores.registry` finds a class among them, the built-in ones and those that packages announce.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, type[StoreFlavor]] = {}

    def add(self, store: type[StoreFlavor]) -> None:
        """Let `store` serve its flavour from now on; defining a class with a flavour calls this.

        Raises:
            InvalidValue: the flavour is artfs's own, or the class does not say which schemes it supports.
        """
        name, shown = store.flavor, f"{store.__module__}.{store.__qualname__}"
        if name in RESERVED and not store.__module__.startswith("artfs.stores."):
            raise InvalidValue(f"{shown} cannot be the flavor '{name}', which is artfs's own: choose another")
        if not store.SUPPORTED_SCHEMES:
            raise InvalidValue(f"{shown} needs SUPPORTED_SCHEMES, for example {{'{name}://'}}", subject=name)
        with self._lock:
            self._by_name[name] = store

    def get(self, name: str) -> type[StoreFlavor] | None:
        """Return the class that serves a flavour, if one was defined."""
        with self._lock:
            return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return the flavours that were defined."""
        with self._lock:
            return list(self._by_name)


defined = Defined()


def _root_fault(root: str, scheme: str) -> str | None:
    """Why nothing can be at `root`, which begins with `scheme`."""
    if "\0" in root:
        return "it has a NUL byte in it"
    if not scheme.endswith("://"):
        return None
    rest = root.removeprefix(scheme)
    if not rest.strip("/"):
        return f"it needs a path after {scheme}"
    if not root.isprintable():
        return "it has control characters in it"
    if any(part in (".", "..") for part in rest.split("/")):
        return "'.' and '..' mean nothing in a URI"
    if has_secret(root):
        return "a password in it would be kept in the catalog; set it in the environment instead"
    return None


def _is_full(path: str) -> bool:
    return path.startswith("/") or "://" in path


def _relative_to(root: str, path: str) -> list[str] | None:
    """The components of `path` below `root`, or None when it is not below: compared by component."""
    above, below = root.rstrip("/").split("/"), path.split("/")
    return below[len(above) :] if below[: len(above)] == above else None
