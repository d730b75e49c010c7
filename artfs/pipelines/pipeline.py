"""The `@pipeline` decorator."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, overload

from artfs.classes import recording_names
from artfs.errors import InvalidValue
from artfs.names import check_artifact_name
from artfs.pipelines.define.composition import Composition
from artfs.pipelines.define.config import StepOptions, recorded_parameters
from artfs.pipelines.define.hooks import Hook
from artfs.pipelines.define.signature import check_function
from artfs.runs import RUN_VARIABLE
from artfs.scopes import current_composition

if TYPE_CHECKING:
    from artfs.artifacts.tagging import Tag
    from artfs.objects.named_model import Model
    from artfs.objects.run import PipelineRunResponse
    from artfs.pipelines.run.runner import RunOptions

P = ParamSpec("P")


class Pipeline(Generic[P]):
    """A function that says which steps are given what. Calling it runs them."""

    def __init__(self, function: Callable[P, Any], name: str, options: StepOptions, run: RunOptions) -> None:
        self.function = function
        self.name = check_artifact_name(name)
        self.options = options
        self.run_options = run
        self._steps: Mapping[str, StepOptions] = {}
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<pipeline '{self.name}'>"

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> Any:
        """Compose and run the pipeline; returns the run. In another pipeline: its steps become that one's."""
        if current_composition.get() is not None:
            return self.function(*arguments, **named)
        return self._run(self._bound(*arguments, **named))

    def with_options(
        self,
        *,
        run_name: str | None = None,
        enable_cache: bool | None = None,
        substitutions: Mapping[str, str] | None = None,
        config_path: str | PathLike[str] | None = None,
        executor: str | None = None,
        workers: int | None = None,
        tags: Sequence[str | Tag] | None = None,
        on_failure: Hook | None = None,
        on_success: Hook | None = None,
        model: Model | None = None,
    ) -> Pipeline[P]:
        """A copy of the pipeline with other settings.

        Args:
            run_name: of the next run; may hold `{date}`, `{time}` and substitutions.
            enable_cache: whether outputs of earlier runs may be used.
            substitutions: values of placeholders.
            config_path: a YAML file with `parameters`, `enable_cache`, `run_name`, `substitutions`, and under `steps`
                for each step `parameters`, `enable_cache`, `retries`, `substitutions` and
                `outputs: {<output>: {version: ...}}`.
            executor: `threads` or `processes`.
            workers: how many steps may run at once.
            tags: of its runs, beside those that they have already.
            on_failure, on_success: for each step that has none of its own, as for `step`.
            model: the version of a model that its runs, and what they make, are put into.
        """
        from artfs.pipelines.define.file import read_configuration

        found = read_configuration(config_path) if config_path is not None else None
        options = StepOptions(
            enable_cache=enable_cache,
            substitutions=dict(substitutions or {}),
            on_failure=on_failure,
            on_success=on_success,
            model=model,
        )
        options = options.over(found.pipeline) if found else options
        run = replace(
            self.run_options,
            run_name=run_name or (found.run_name if found else None) or self.run_options.run_name,
            executor=executor or self.run_options.executor,
            workers=self.run_options.workers if workers is None else workers,
            tags=(*self.run_options.tags, *(tags or ())),
        )
        changed = Pipeline(self.function, self.name, options.over(self.options), run)
        changed._steps = {**self._steps, **(found.steps if found else {})}
        return changed

    def _bound(self, *arguments: Any, **named: Any) -> inspect.BoundArguments:
        signature = inspect.signature(self.function)
        try:
            given = signature.bind_partial(*arguments, **named)
        except TypeError as error:
            raise InvalidValue(f"pipeline '{self.name}{signature}': {error}", subject=self.name) from None
        for name, value in self.options.parameters.items():
            if name not in signature.parameters:
                raise InvalidValue(f"pipeline '{self.name}' has no parameter '{name}'", subject=name)
            given.arguments.setdefault(name, value)
        try:
            bound = signature.bind(*given.args, **given.kwargs)
        except TypeError as error:
            raise InvalidValue(f"pipeline '{self.name}{signature}': {error}", subject=self.name) from None
        bound.apply_defaults()
        return bound

    def _run(self, parameters: inspect.BoundArguments) -> PipelineRunResponse:
        from artfs.objects.objects import Objects
        from artfs.pipelines.run.runner import Runner
        from artfs.workspace.current import current_workspace

        config: dict[str, Any] = {"command": sys.orig_argv, "directory": os.getcwd()}
        if RUN_VARIABLE in os.environ:
            config["exec"] = os.environ[RUN_VARIABLE]
        with recording_names() as classes:
            config["parameters"] = recorded_parameters(parameters.arguments, f"pipeline '{self.name}'")
            composition = self._composed(parameters)
        workspace = current_workspace()
        workspace.classes.add(classes)
        run = Runner(workspace, composition, replace(self.run_options, config=config)).run()
        return Objects(workspace).run(run)

    def _composed(self, parameters: inspect.BoundArguments) -> Composition:
        # A parameter of the pipeline is not one of every step that has an input of the same name.
        composition = Composition(self.name, replace(self.options, parameters={}), dict(self._steps))
        token = current_composition.set(composition)
        try:
            self.function(*parameters.args, **parameters.kwargs)
        finally:
            current_composition.reset(token)
        composition.check_configured()
        return composition


@overload
def pipeline(function: Callable[P, Any]) -> Pipeline[P]: ...
@overload
def pipeline(
    function: None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    substitutions: Mapping[str, str] | None = None,
    executor: str = "threads",
    workers: int = 4,
    tags: Sequence[str | Tag] | None = None,
    on_failure: Hook | None = None,
    on_success: Hook | None = None,
    model: Model | None = None,
) -> Callable[[Callable[P, Any]], Pipeline[P]]: ...
def pipeline(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    substitutions: Mapping[str, str] | None = None,
    executor: str = "threads",
    workers: int = 4,
    tags: Sequence[str | Tag] | None = None,
    on_failure: Hook | None = None,
    on_success: Hook | None = None,
    model: Model | None = None,
) -> Any:
    """Make a function a pipeline: calling it runs the steps that it calls, with caching and lineage.

    Args:
        function: the function, when used without brackets.
        name: of the pipeline; the function's when not given.
        enable_cache: whether outputs of earlier runs may be used; yes, unless a step says otherwise.
        substitutions: values of placeholders in output names.
        executor: `threads` of this process, or `processes` of their own.
        workers: how many steps may run at once.
        tags: of its runs. A `Tag(name, cascade=True)` is on every version that they make, too.
        on_failure, on_success: for each step that has none of its own, as for `step`.
        model: the version of a model that its runs, and what they make, are put into; without a version a new one for
            each run.

    Example:
        >>> @pipeline
        ... def training(rate: float = 0.1):
        ...     train(data=load(), rate=rate)
        >>> training(rate=0.2)
    """
    from artfs.pipelines.run.runner import RunOptions

    def decorate(function: Callable[P, Any]) -> Pipeline[P]:
        check_function(function, "pipeline")
        options = StepOptions(
            enable_cache=enable_cache,
            substitutions=dict(substitutions or {}),
            on_failure=on_failure,
            on_success=on_success,
            model=model,
        )
        return Pipeline(
            function,
            function.__name__ if name is None else name,
            options,
            RunOptions(executor=executor, workers=workers, tags=tuple(tags or ())),
        )

    return decorate(function) if function is not None else decorate
