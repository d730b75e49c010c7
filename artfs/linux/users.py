"""Users of this machine: their names and numbers."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

NOBODY = 65534
"""The group of a user whom the machine does not know: no file is to belong to it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with the groups that the machine's user database gives.

    Args:
        uid: number.
        gid: primary group.
        groups: all groups.
    """

    uid: int
    gid: int
    groups: frozenset[int]


def name_of(uid: int) -> str:
    """Return the login name of a user, or the number of one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name_of(gid: int) -> str:
    """Return the name of a group, or the number of one without."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def by_uid(uid: int) -> Account:
    """Return the user of a number. One whom the machine does not know is in no group that counts."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, NOBODY, frozenset())
    return Account(uid, found.pw_gid, frozenset(os.getgrouplist(found.pw_name, found.pw_gid)))


def by_name(name: str) -> Account | None:
    """Return the user of a name that `name_of` gave; None if this machine has no such user."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        if not (name.isascii() and name.isdigit() and int(name) < 2**32 - 1):
            return None
        uid = int(name)
    return by_uid(uid)
