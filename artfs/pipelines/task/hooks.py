"""Calls the hooks of a step. What becomes of the step does not hang on them: their own failures are logged."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from artfs.pipelines.define.hooks import Hook, takes_argument
from artfs.pipelines.task.context import StepContext, current_context
from artfs.scopes import Scope, current_composition, step_scope

logger = logging.getLogger(__name__)


def call_hook(hook: Hook, context: StepContext, scope: Scope, error: BaseException | None = None) -> None:
    """Calls a hook in the context of its step, whose outputs can no longer be changed.

    error: why the step has failed.
    """
    context.is_over = True
    with contextlib.ExitStack() as stack:
        stack.callback(current_context.reset, current_context.set(context))
        stack.callback(step_scope.reset, step_scope.set(scope))
        stack.callback(current_composition.reset, current_composition.set(None))
        try:
            function = _function(hook)
            function(error) if error is not None and takes_argument(function) else function()
        except Exception:
            what = "success" if error is None else "failure"
            logger.exception("the hook that step '%s' calls on %s failed itself", context.step_name, what)


def _function(hook: Hook) -> Callable[..., Any]:
    if not isinstance(hook, str):
        return hook
    module, _, name = hook.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
