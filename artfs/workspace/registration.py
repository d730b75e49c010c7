"""Making artifact stores known to the catalog, and forgetting them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.classes import dotted
from artfs.content.files import sync_directory
from artfs.errors import AlreadyExists, InvalidValue, StoreError
from artfs.home.store_roots import kept_root
from artfs.home.stores import mark_of, own
from artfs.names import check_store_name
from artfs.secrets.names import is_secret_name
from artfs.secrets.redaction import has_secret
from artfs.stores.base import Store
from artfs.stores.built_in import ALIASES, BUILT_IN, CLASS_OPTION, CUSTOM
from artfs.stores.local.store import LocalStore, local_path
from artfs.stores.making import make_store
from artfs.stores.mark import MARK, read_mark, remove_mark
from artfs.stores.registry import check_options, store_class

if TYPE_CHECKING:
    from artfs.workspace.workspace import Workspace


def register_store(
    workspace: Workspace, name: str, flavor: str, path: str, options: Mapping[str, Any] | None = None
) -> Store:
    """Make a store known under a name, and its root if it is not there yet.

    Args:
        workspace: where.
        name: what to call it.
        flavor: which kind it is; `artfs artifact-store flavor list` lists them.
        path: its root: an absolute path, or a URI with a scheme that the flavour supports. No other store may be
            there, above it or below it: each would take the bytes of the other for its own.
        options: settings of the flavour; never a secret.

    Raises:
        InvalidName, InvalidValue: the name, path or an option cannot be used.
        AlreadyExists: the name, or the place, is taken, be it by another catalog.
        StoreError, MissingLibrary: the flavour cannot be used here, or the root cannot be made or written.

    Example:
        >>> register_store(workspace, "disk", "local", "/mnt/disk/artifacts")
    """
    check_store_name(name)
    flavor, options = ALIASES.get(flavor, flavor), dict(options or {})
    check_options(flavor, options)
    check_no_secret(options)
    store = make_store(store_class(flavor, options), path, options, name=name)
    if isinstance(store, LocalStore):
        store.share(workspace.home.sharing)
    try:
        _check_name_free(name, workspace)
        check_root_free(store, workspace)
        _make_usable(store)
        _own(store, workspace)
    finally:
        store.close()
    catalog = workspace.catalog
    if flavor == CUSTOM:
        workspace.classes.add([dotted(options[CLASS_OPTION])])
    with catalog.transaction():
        _check_name_free(name, workspace)
        check_root_free(store, workspace)
        row = catalog.stores.register(
            name, flavor, kept_root(store.root, str(workspace.home.path)), options, marked=store.is_local
        )
        user = catalog.users.ensure(workspace.user)
        catalog.audit.append("store.register", name, {"flavor": flavor, "path": store.root}, user.id)
    return workspace.stores.by_id(row.id)


def delete_store(workspace: Workspace, name: str) -> None:
    """Forget a store that nothing uses. What lies in it is left as it is.

    Raises:
        StoreNotFound: there is none of that name.
        InvalidValue: a stack, a version or stored bytes need it.
    """
    catalog = workspace.catalog
    with catalog.transaction():
        row = catalog.stores.get(name)
        stacks = [stack.name for stack in catalog.stacks.list() if row is not None and stack.store_id == row.id]
        if stacks:
            raise InvalidValue(
                f"store '{name}' cannot be deleted: the stack '{stacks[0]}' uses it; delete that first", subject=name
            )
        catalog.stores.delete(name)
        user = catalog.users.ensure(workspace.user)
        catalog.audit.append("store.delete", name, user_id=user.id)
    if row is not None and (root := local_path(workspace.stores.located(row).root)) is not None:
        remove_mark(root, mark_of(workspace.home, name))


def check_no_secret(options: Mapping[str, Any]) -> None:
    """Raise InvalidValue for an option that is a secret, or has one in it."""
    for option, value in options.items():
        if is_secret_name(option) or has_secret(str(value)):
            raise InvalidValue(
                f"the option '{option}' is a secret, or has one in it, which the catalog would keep: give credentials"
                " in the environment",
                subject=option,
            )


def check_root_free(store: Store, workspace: Workspace) -> None:
    """Raise unless nothing but this store has its bytes at its root, above it or below it.

    Raises:
        AlreadyExists: another store is there.
        InvalidValue: artfs keeps other things there, or would read them from itself.
    """
    where = _parts(store.root)
    for other in workspace.stores.rows():
        if other.name == store.name:
            continue
        there = _parts(other.root)
        if where[: len(there)] == there or there[: len(where)] == where:
            how = "is" if where == there else "lies in" if len(where) > len(there) else "lies around"
            raise AlreadyExists(
                f"'{store.root}' {how} the artifact store '{other.name}' at '{other.root}': choose a path of its own",
                subject=store.root,
            )
    _check_not_artfs_own(store, workspace)


def _check_name_free(name: str, workspace: Workspace) -> None:
    if workspace.catalog.stores.get(name) is not None:
        raise AlreadyExists(f"a store named '{name}' exists already: choose another name", subject=name)


def _check_not_artfs_own(store: Store, workspace: Workspace) -> None:
    """Bytes of a store must not lie where artfs keeps other things, or where it would read them from itself."""
    if not store.is_local:
        return
    from artfs.linux.mounts import mount_of

    resolved = Path(os.path.realpath(store.root))
    home = workspace.home
    if mount_of(resolved).is_artfs:
        raise InvalidValue(f"'{store.root}' is in a mount of artfs: choose a path on a disk", subject=store.root)
    if any(resolved.is_relative_to(os.path.realpath(own)) for own in (home.cache, home.mounts)):
        raise InvalidValue(
            f"'{store.root}' is where artfs keeps its own files: choose a path outside of {home.path}",
            subject=store.root,
        )


def _make_usable(store: Store) -> None:
    try:
        store.create()
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"the artifact store '{store.root}' cannot be made: {why}", subject=store.root) from error
    if store.is_local:
        with contextlib.suppress(OSError):  # one may be allowed to write there and not to look
            sync_directory(os.path.dirname(store.root))
    if store.is_local and not os.access(store.root, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(
            f"the artifact store '{store.root}' cannot be written: give yourself the right to, or choose another path",
            subject=store.root,
        )


def _own(store: Store, workspace: Workspace) -> None:
    if not store.is_local:
        return
    home = workspace.home
    found = read_mark(store.root)
    if found is not None and found.home == home.identity and found.store != store.name:
        # What is left of one that was deleted while its disk was away.
        remove_mark(store.root, found)
    if not own(store.root, mark_of(home, store.name), home):
        raise AlreadyExists(
            f"'{store.root}' is the artifact store of another home: choose a path of its own; if that home is no more, "
            f"removing '{os.path.join(store.root, MARK)}' gives it free",
            subject=store.root,
        )


def _parts(root: str) -> tuple[str, ...]:
    """A root such that two are the same, or one below the other, exactly when their parts say so."""
    local = local_path(root)
    if local is not None:
        return ("", *(part for part in os.path.realpath(local).split("/") if part))
    scheme, _, rest = root.partition("://")
    # az:// and abfs:// are one place.
    names = (name for name, built_in in BUILT_IN.items() if f"{scheme}://" in built_in.schemes)
    return (next(names, scheme), *(part for part in rest.split("/") if part))
