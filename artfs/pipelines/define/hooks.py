"""Functions of the user's that are called when a step has failed or is complete."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from artfs.errors import InvalidValue

Hook = Callable[..., Any] | str
"""A function, or its "module.name". One for failures may take the exception."""


def checked_hook(hook: Hook | None, what: str, most: int) -> Hook | None:
    """Return a hook that can be called with so many arguments at most, or raise InvalidValue.

    Args:
        what: how to call it in the message: `on_failure`.
    """
    if hook is None or (isinstance(hook, str) and hook.rpartition(".")[0]):
        return hook
    if isinstance(hook, str) or not callable(hook):
        raise InvalidValue(f"{what} is a function or its 'module.name', not {hook!r}")
    if _required(hook) > most:
        takes = "the exception or nothing" if most else "nothing"
        raise InvalidValue(f"{what} is called with {takes}, and {getattr(hook, '__name__', hook)!s} needs more")
    return hook


def takes_argument(hook: Callable[..., Any]) -> bool:
    """Return whether a hook can be called with one argument."""
    try:
        inspect.signature(hook).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True  # a function in C that does not say
    return True


def _required(hook: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(hook).parameters.values()
    except ValueError:
        return 0
    empty, starred = inspect.Parameter.empty, (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return sum(each.default is empty and each.kind not in starred for each in parameters)
