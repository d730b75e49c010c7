"""The `@step` decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Generic, ParamSpec, TypeVar, overload

from artfs.materializers.base import BaseMaterializer
from artfs.names import check_artifact_name
from artfs.objects.named_model import Model
from artfs.objects.references import OutputReference, StepInput
from artfs.pipelines.define.config import CachePolicy, StepOptions, checked_paths
from artfs.pipelines.define.hooks import Hook
from artfs.pipelines.define.signature import Signature, check_function, plain_function, signature_of
from artfs.scopes import current_composition

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A function that can be part of a pipeline. Called outside of one it is the plain function.

    To type checkers it takes what the function takes, or versions in place of all of it, and gives what that gives.
    """

    def __init__(
        self, function: Callable[P, R], name: str, options: StepOptions, signature: Signature | None = None
    ) -> None:
        self.function = function
        self.name = check_artifact_name(name)
        self.options = options
        self.signature = signature or signature_of(function)
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<step '{self.name}'>"

    @overload
    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R: ...
    @overload
    def __call__(self, *arguments: Any, after: str | Iterable[str], **named: Any) -> R: ...
    @overload
    def __call__(self, *arguments: StepInput, **named: StepInput) -> R: ...
    def __call__(self, *arguments: Any, after: Any = None, **named: Any) -> Any:
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
        on_failure: Hook | None = None,
        on_success: Hook | None = None,
        model: Model | None = None,
        depends_on: Sequence[str | PathLike[str]] | None = None,
        observe: bool | None = None,
    ) -> Step[P, R]:
        """A copy of the step with other settings; what is not given stays as it was. See `StepOptions`."""
        changed = StepOptions(
            enable_cache,
            cache_policy,
            output_materializers,
            dict(substitutions or {}),
            retries,
            dict(parameters or {}),
            on_failure=on_failure,
            on_success=on_success,
            model=model,
            depends_on=checked_paths(depends_on),
            observe=observe,
        )
        return Step(self.function, name or self.name, changed.over(self.options), self.signature)

    @functools.cached_property
    def source(self) -> str | None:
        """The function's source code, where there is any."""
        try:
            return inspect.getsource(plain_function(self.function))
        except (OSError, TypeError):
            return None


@overload
def step(
    function: Callable[P, R],
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    cache_policy: CachePolicy | None = None,
    output_materializers: Mapping[str, type[BaseMaterializer] | str] | type[BaseMaterializer] | str | None = None,
    substitutions: Mapping[str, str] | None = None,
    retries: int | None = None,
) -> Step[P, R]: ...
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
    on_failure: Hook | None = None,
    on_success: Hook | None = None,
    model: Model | None = None,
    depends_on: Sequence[str | PathLike[str]] | None = None,
    observe: bool | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    cache_policy: CachePolicy | None = None,
    output_materializers: Mapping[str, type[BaseMaterializer] | str] | type[BaseMaterializer] | str | None = None,
    substitutions: Mapping[str, str] | None = None,
    retries: int | None = None,
    on_failure: Hook | None = None,
    on_success: Hook | None = None,
    model: Model | None = None,
    depends_on: Sequence[str | PathLike[str]] | None = None,
    observe: bool | None = None,
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
        on_failure: a function, or its "module.name", that is called when the step has failed for good; with the
            exception, if it takes one.
        on_success: one that is called, with nothing, when the step is complete and its outputs are kept.
        model: the version of a model that what it makes is put into.
        depends_on: paths and patterns of files that the outputs depend on, where artfs cannot see them being read:
            those that C++ code or other processes open. A folder stands for all files in it.
        observe: False leaves out of a later comparison what the step was seen to use while it ran.

    Raises:
        InvalidValue: the function cannot be a step.

    Example:
        >>> @step
        ... def train(data: np.ndarray, rate: float = 0.1) -> Annotated[Model, "model"]: ...
    """

    def decorate(function: Callable[P, R]) -> Step[P, R]:
        check_function(function, "step")
        options = StepOptions(
            enable_cache,
            cache_policy,
            output_materializers,
            dict(substitutions or {}),
            retries,
            on_failure=on_failure,
            on_success=on_success,
            model=model,
            depends_on=checked_paths(depends_on),
            observe=observe,
        )
        return Step(function, plain_function(function).__name__ if name is None else name, options)

    return decorate(function) if function is not None else decorate
