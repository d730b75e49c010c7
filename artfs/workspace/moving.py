"""Saying where a store is now, or changing its settings. Its bytes are moved by whoever says so, with `mv` or `cp -a`.

A folder is taken for the store only if it bears the store's own mark, and remembers the same newest version as the one
before, where that is still there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from artfs.classes import dotted
from artfs.errors import StoreError, StoreNotFound
from artfs.home.store_roots import kept_root
from artfs.home.stores import PLACES_TRIED, mark_of, own
from artfs.stores.base import Store
from artfs.stores.built_in import CLASS_OPTION, CUSTOM
from artfs.stores.history import StoreHistory
from artfs.stores.local.store import LocalStore
from artfs.stores.making import make_store
from artfs.stores.mark import MARK, another_store, attribute_mark, read_mark
from artfs.stores.registry import check_options
from artfs.workspace.registration import check_no_secret, check_root_free

if TYPE_CHECKING:
    from artfs.catalog.stores import StoreRow
    from artfs.workspace.workspace import Workspace

_SHOWN = 3


def update_store(
    workspace: Workspace, name: str, path: str | None = None, options: Mapping[str, Any] | None = None
) -> Store:
    """Say that a store's root is another one, or change settings of its flavour.

    Args:
        workspace: whose store it is.
        name: of the store.
        path: absolute path or URI of the root; None where it stays.
        options: settings to change; None as a value takes one away.

    Raises:
        StoreNotFound: there is no store of that name.
        StoreError: what is at the path is not the store.
        AlreadyExists: another store is there.
        InvalidValue: an option or the path cannot be.
    """
    workspace.home.check_writable()
    catalog, changes = workspace.catalog, options or {}
    row = catalog.stores.get(name)
    if row is None:
        raise StoreNotFound(f"there is no store named '{name}': see 'artfs artifact-store list'", subject=name)
    before = workspace.stores.located(row)
    settings = {option: value for option, value in {**row.options, **changes}.items() if value is not None}
    # A class that the caller names may be imported; one that only the catalog names, if this home has used it.
    names_class = CLASS_OPTION in changes
    kind = check_options(row.flavor, settings, None if names_class else workspace.classes.allows)
    check_no_secret(settings)
    store = make_store(kind, before.root if path is None else path, settings, id=row.id, name=name)
    try:
        if store.root != before.root:
            check_root_free(store, workspace)
            _check_is_the_store(store, before, workspace)
    finally:
        store.close()
    with catalog.transaction():
        if catalog.stores.by_id(row.id) != row:
            raise StoreError(
                f"the artifact store '{name}' was changed meanwhile: look at it, then try again", subject=name
            )
        if store.root != before.root:
            catalog.stores.move(row.id, kept_root(store.root, str(workspace.home.path)))
        catalog.stores.configure(row.id, settings)
        user = catalog.users.ensure(workspace.user)
        catalog.audit.append("store.update", name, {"path": store.root, "options": sorted(changes)}, user.id)
    if row.flavor == CUSTOM and names_class:
        workspace.classes.add([dotted(settings[CLASS_OPTION])])
    return workspace.stores.by_name(name)


def what_is_at(root: str) -> str:
    """Say what is found where the root of a store should be, for people."""
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return "nothing is there"
    except NotADirectoryError:
        return "a file is there" if os.path.lexists(root) else "a file is above it"
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    try:
        mark = read_mark(root)
    except StoreError as error:
        return str(error)
    if mark is not None:
        return f"the store '{mark.store}' of the home {mark.home_path} is there"
    if not names:
        return "an empty folder is there"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"a folder without the mark {MARK} is there, with {', '.join(names[:_SHOWN])}{more}"


def _check_is_the_store(store: Store, before: StoreRow, workspace: Workspace) -> None:
    if isinstance(store, LocalStore):
        _check_mark(store, before, workspace)
    _check_holds_what_it_should(store, workspace)


def _check_mark(store: LocalStore, before: StoreRow, workspace: Workspace) -> None:
    wanted = mark_of(workspace.home, store.name)
    found = read_mark(store.root) or attribute_mark(store.root) if os.path.isdir(store.root) else None
    if found is None:
        raise StoreError(
            f"'{store.root}' is not the artifact store '{store.name}': {what_is_at(store.root)}; give the folder that"
            f" bears its mark {MARK}",
            subject=store.root,
        )
    if not found.is_of(wanted) or not own(store.root, wanted, workspace.home):
        raise another_store(store.root, found, wanted)
    if read_mark(before.root) == read_mark(store.root):
        there, here = (StoreHistory(root, workspace.home.sharing).newest() for root in (before.root, store.root))
        if there != here:
            raise StoreError(
                f"'{store.root}' is an older copy of the artifact store '{store.name}' than '{before.root}': copy what"
                " was saved since then too",
                subject=store.root,
            )


def _check_holds_what_it_should(store: Store, workspace: Workspace) -> None:
    """Raise StoreError unless something is there that the catalog has in the store, or it has nothing there."""
    assert store.id is not None
    paths = workspace.catalog.blobs.paths_in(store.id, PLACES_TRIED)
    if paths and not any(_has(store, path) for path in paths):
        raise StoreError(
            f"nothing of what the artifact store '{store.name}' should hold is at '{store.root}': copy it there first",
            subject=store.root,
        )


def _has(store: Store, path: bytes) -> bool:
    try:
        store.stat(path)
    except FileNotFoundError:
        return False
    return True
