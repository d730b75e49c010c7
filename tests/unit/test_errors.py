"""Every error is one line, the builtin that a caller expects, and knows its errno."""

from __future__ import annotations

import errno
import inspect
import pickle

import pytest

from artfs import errors
from artfs.errors import ArtfsError


def leaves() -> list[type[ArtfsError]]:
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, ArtfsError)]
    return [error for error in found if list(inspect.signature(error).parameters)[:1] == ["message"]]


@pytest.mark.parametrize("error", leaves())
def test_an_error_is_its_line(error: type[ArtfsError]) -> None:
    made = error("one line", subject="thing")
    assert str(made) == "one line" and made.subject == "thing"
    assert not isinstance(made, OSError) or isinstance(made.errno, int)
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again), again.subject) == (error, "one line", "thing")


@pytest.mark.parametrize(
    ("error", "builtin", "code"),
    [
        (errors.VersionNotFound, FileNotFoundError, errno.ENOENT),
        (errors.VersionExists, FileExistsError, errno.EEXIST),
        (errors.OutsideStore, PermissionError, errno.EACCES),
        (errors.DigestMismatch, OSError, errno.EIO),
        (errors.PlaceChanged, OSError, errno.EIO),
        (errors.NotMounted, errors.MountError, errno.ENOTCONN),
        (errors.InvalidName, ValueError, None),
        (errors.DraftHeld, RuntimeError, None),
    ],
)
def test_an_error_is_also_the_builtin(error: type[ArtfsError], builtin: type[Exception], code: int | None) -> None:
    made = error("line")
    assert isinstance(made, builtin)
    assert getattr(made, "errno", None) == code


def test_missing_bytes_are_named() -> None:
    missing = errors.MissingPlace([b"\1" * 32, b"\2" * 32])
    assert set(missing.digests) == {b"\1" * 32, b"\2" * 32} and "2" in str(missing)
