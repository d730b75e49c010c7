"""Stacks: named choices of where new versions go, one of which is active on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from artfs.errors import InvalidValue, StackNotFound
from artfs.names import check_stack_name

if TYPE_CHECKING:
    from artfs.catalog.stacks import StackRow
    from artfs.stores.artifact_store import BaseArtifactStore
    from artfs.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack.

    Args:
        name: what people call it.
        store_name: what they call its artifact store.
        active: whether new versions of this machine go there.
        created_us: when it was registered, microseconds since 1970 UTC.

    Example:
        >>> Client().active_stack.artifact_store.path
    """

    name: str
    store_name: str
    active: bool
    created_us: int
    _workspace: Workspace = field(repr=False, compare=False)

    @property
    def artifact_store(self) -> BaseArtifactStore:
        """The store that its versions go to: the operations on its files.

        Raises:
            StoreError, MissingLibrary: its flavour cannot be used here.
        """
        return self._workspace.stores.by_name(self.store_name).files


def active_stack(workspace: Workspace) -> Stack:
    """Return the stack that new versions go to.

    Raises:
        StackNotFound: the one that the settings name does not exist (any more).
    """
    name = workspace.home.active_stack
    row = workspace.catalog.stacks.get(name)
    if row is None:
        raise StackNotFound(
            f"the active stack '{name}' of {workspace.home.config_path} does not exist: choose one with"
            " 'artfs stack set'",
            subject=name,
        )
    return _stack(workspace, row)


def find_stack(workspace: Workspace, name: str) -> Stack:
    """Return the stack of that name; raises StackNotFound."""
    row = workspace.catalog.stacks.get(name)
    if row is None:
        raise StackNotFound(f"there is no stack named '{name}': see 'artfs stack list'", subject=name)
    return _stack(workspace, row)


def list_stacks(workspace: Workspace) -> Sequence[Stack]:
    """Return all stacks, by name."""
    return [_stack(workspace, row) for row in workspace.catalog.stacks.list()]


def register_stack(workspace: Workspace, name: str, store: str) -> Stack:
    """Make a stack.

    Args:
        workspace: where.
        name: what to call it.
        store: name of the artifact store that its versions go to.

    Raises:
        InvalidName: it cannot be called so.
        AlreadyExists: the name is taken.
        StoreNotFound, StoreError, MissingLibrary: there is no such store, or it cannot be used here.
    """
    check_stack_name(name)
    catalog, store_id = workspace.catalog, workspace.stores.by_name(store).id
    assert store_id is not None
    with catalog.transaction():
        row = catalog.stacks.register(name, store_id)
        user = catalog.users.ensure(workspace.user)
        catalog.audit.append("stack.register", name, {"store": store}, user.id)
    return _stack(workspace, row)


def activate_stack(workspace: Workspace, name: str) -> Stack:
    """Let new versions of this machine go to a stack from now on, and return it.

    Running mounts and programs notice it with the next version that they make.

    Raises:
        StackNotFound: there is none of that name.
        StoreError, MissingLibrary: its store cannot be used here.
        HomeError: the settings cannot be written.
    """
    workspace.stores.by_name(find_stack(workspace, name).store_name)
    workspace.home.configure(active_stack=name)
    return find_stack(workspace, name)


def delete_stack(workspace: Workspace, name: str) -> None:
    """Forget a stack; its store and its versions stay.

    Raises:
        StackNotFound: there is none of that name.
        InvalidValue: it is the active one, or the default one.
    """
    from artfs.workspace.workspace import DEFAULT

    catalog = workspace.catalog
    if name == DEFAULT:
        raise InvalidValue(f"the stack '{name}' is always there and cannot be deleted", subject=name)
    if find_stack(workspace, name).active:
        raise InvalidValue(
            f"stack '{name}' is the active one: choose another with 'artfs stack set' before you delete it",
            subject=name,
        )
    with catalog.transaction():
        catalog.stacks.delete(name)
        user = catalog.users.ensure(workspace.user)
        catalog.audit.append("stack.delete", name, user_id=user.id)


def _stack(workspace: Workspace, row: StackRow) -> Stack:
    store = workspace.catalog.stores.by_id(row.store_id)
    assert store is not None
    active = row.name == workspace.home.active_stack
    return Stack(row.name, store.name, active, row.created_us, workspace)
