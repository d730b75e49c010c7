"""The wrapper around every request: whatever goes wrong is answered with an errno, and the mount goes on."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import trio
from pyfuse3 import FUSEError

from artfs_mount.fuse.errno import code_of
from artfs_mount.status import Status


class HasStatus(Protocol):
    """Whatever answers requests."""

    status: Status


S = TypeVar("S", bound=HasStatus)
P = ParamSpec("P")
T = TypeVar("T")


def handler(
    function: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Answers every exception with an errno: the expected ones with theirs, others with EIO and a logged traceback."""

    @functools.wraps(function)
    async def guarded(self: S, /, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await function(self, *arguments, **named)
        except (FUSEError, trio.Cancelled, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the status logs it
            code = self.status.failed(function.__name__, error, code_of(error))
            # Its frames may end up in a circle of references, and keep a file open, whose space stays taken.
            traceback.clear_frames(error.__traceback__)
            raise FUSEError(code) from None

    return guarded
