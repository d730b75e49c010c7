"""The `@step` decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from artfs.materializers.base import BaseMaterializer
from artfs.names import check_artifact_name
from artfs.objects.references import OutputReference
from artfs.pipelines.define.config import CachePolicy, StepOptions
from artfs.pipelines.define.signature import Signature, signature_of
from artfs.scopes import current_composition

F = TypeVar("F", bound=Callable[..., Any])


class Step:
    """A function that can be part of a pipeline. Called outside of one it is the plain function."""

    def __init__(
        self, function: Callable[..., Any], name: str, options: StepOptions, signature: Signature | None = None
    ) -> None:
        self.function = function
        self.name = check_artifact_name(name)
        self.options = options
        self.signature = signature or signature_of(function)
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<step '{self.name}'>"

    def __call__(self, *arguments: Any, after: str | Iterable[str] | None = None, **named: Any) -> Any:
        """In a pipeline: a call to be made later, standing for its outputs. Elsewhere: the function's own result."""
        composition = current_composition.get()
        if composition is None:
            return self.function(*arguments, **named)
        bound = self.signature.bind(arguments, named, f"step '{self.name}'")
        before = frozenset([after] if isinstance(after, str) else after or ())
        invocation = composition.add(self, bound, before)
        references = tuple(OutputReference(invocation.name, output.slot) for output in self.signature.outputs)
        if not references:
            return None
        return references if self.signature.as_tuple else references[0]

    def with_options(
        self,
        *,
        name: str | None = None,
        enable_cache: bool | None = None,
        cache_policy: CachePolicy | None = None,
        output_materializers: Mapping[str, type[BaseMaterializer] | str] | type[BaseMaterializer] | str | None = None,
        substitutions: Mapping[str, str] | None = None,
        retries: int | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Step:
        """A copy of the step with other settings; what is not given stays as it was. See `StepOptions`."""
        changed = StepOptions(
            enable_cache, cache_policy, output_materializers, dict(substitutions or {}), retries, dict(parameters or {})
        )
        return Step(self.function, name or self.name, changed.over(self.options), self.signature)

    @functools.cached_property
    def source(self) -> str | None:
        """The function's source code, where there is any."""
        try:
            return inspect.getsource(self.function)
        except OSError:
            return None


@overload
def step(function: F) -> Step: ...
@overload
def step(
    function: None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    cache_policy: CachePolicy | None = None,
    output_materializers: Mapping[str, type[BaseMaterializer] | str] | type[BaseMaterializer] | str | None = None,
    substitutions: Mapping[str, str] | None = None,
    retries: int | None = None,
) -> Callable[[F], Step]: ...
def step(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    cache_policy: CachePolicy | None = None,
    output_materializers: Mapping[str, type[BaseMaterializer] | str] | type[BaseMaterializer] | str | None = None,
    substitutions: Mapping[str, str] | None = None,
    retries: int | None = None,
) -> Any:
    """Make a function a step: its outputs become versions when a pipeline runs it.

    Args:
        function: the function, when used without brackets.
        name: of the step; the function's when not given.
        enable_cache: whether outputs of an earlier run may be used; yes, unless a pipeline says otherwise.
        cache_policy: when they may.
        output_materializers: what turns outputs into files: for all, or by output name; chosen by type when not given.
        substitutions: values of placeholders in output names.
        retries: how often a failing step is tried again.

    Raises:
        InvalidValue: the function cannot be a step.

    Example:
        >>> @step
        ... def train(data: np.ndarray, rate: float = 0.1) -> Annotated[Model, "model"]: ...
    """

    def decorate(function: Callable[..., Any]) -> Step:
        options = StepOptions(enable_cache, cache_policy, output_materializers, dict(substitutions or {}), retries)
        return Step(function, function.__name__ if name is None else name, options)

    return decorate(function) if function is not None else decorate
