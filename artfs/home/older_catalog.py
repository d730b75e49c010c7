"""An older catalog that was restored: noticed by what the stores remember of the newer one.

A store remembers the newest version that was committed with it (`artfs.stores.history`). A catalog that does not know
that version is an older one, or another home's. Then

    numbers    go on from what the stores remember: none that was given out is given out again
    removal    gc, prune and delete refuse: to this catalog, the versions that it does not know would be garbage

until it knows those versions again (the right catalog is put back), or the user gives them up in words (`give_up`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from artfs.errors import OlderCatalog
from artfs.stores.history import Newest

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.home.stores import HomeStores

logger = logging.getLogger(__name__)


def catch_up(catalog: Catalog, stores: HomeStores) -> None:
    """Compare the catalog with what its stores remember, and let it go on from there.

    Safe to call at any time, from several processes at once.

    Args:
        catalog: the one that may be older.
        stores: those that it names.
    """
    versions = catalog.versions
    for root, history in stores.histories():
        newest = history.newest()
        if newest is not None and versions.by_uuid(newest.uuid) is None:
            logger.warning(
                "the catalog %s does not know version %s, the newest in the store at '%s': it is an older one, or "
                "another home's; nothing is removed until the right one is back",
                stores.home.catalog_path, newest.uuid, root,
            )  # fmt: skip
            history.add_unlisted(newest.uuid)
            catalog.artifacts.go_on_from(history.numbers())
            history.go_on_from(_newest(catalog))
        elif (unlisted := history.unlisted()) and (known := {uuid for uuid in unlisted if versions.by_uuid(uuid)}):
            history.forget_unlisted(known)


def is_older(catalog: Catalog, stores: HomeStores) -> bool:
    """Whether stores hold versions that the catalog does not know, and that nobody has given up."""
    return any(history.unlisted() for _, history in stores.histories())


def check_not_older(catalog: Catalog, stores: HomeStores) -> None:
    """Raise OlderCatalog where something must not be removed, as an older catalog was restored."""
    catch_up(catalog, stores)
    for root, history in stores.histories():
        if unlisted := history.unlisted():
            raise OlderCatalog(
                f"the store at '{root}' holds version {min(unlisted)} and perhaps others that the catalog "
                f"{stores.home.catalog_path} does not know, as an older catalog was restored: nothing is removed. "
                "Put the newer one back (artfs catalog restore FILE), or give those versions up (artfs catalog accept)",
                subject=root,
            )


def give_up(catalog: Catalog, stores: HomeStores, user: str) -> int:
    """Let the catalog be the right one, whatever its stores remember, and return how many stores knew better.

    The versions that it does not know stay in the stores, unlisted, where they have a manifest; the others are garbage
    from then on.

    Args:
        catalog: the one that is right.
        stores: those that it names.
        user: who says so.
    """
    gave_up = 0
    for _, history in stores.histories():
        if unlisted := history.unlisted():
            history.forget_unlisted(unlisted)
            gave_up += 1
    if gave_up:
        with catalog.transaction():
            user_id = catalog.users.ensure(user).id
            catalog.audit.append("catalog.accept", str(stores.home.catalog_path), user_id=user_id)
    return gave_up


def _newest(catalog: Catalog) -> Newest | None:
    newest = catalog.versions.newest_row()
    return Newest(*newest) if newest is not None else None
