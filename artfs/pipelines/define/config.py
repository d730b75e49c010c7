"""What can be said about outputs, inputs from outside and caching."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from artfs.artifacts.tagging import Tag
from artfs.enums import ArtifactType
from artfs.errors import InvalidValue, MaterializerError
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.json.parameters import NotPlain, to_form
from artfs.objects.named_model import Model
from artfs.objects.references import StepInput
from artfs.pipelines.define.hooks import Hook, checked_hook


@dataclass(frozen=True)
class ArtifactConfig:
    """How an output of a step is kept; used inside `Annotated[T, ArtifactConfig(...)]`.

    Args:
        name: of the artifact; may hold placeholders (`{date}`, `{time}`, own substitutions).
        version: name of the version; the next number when not given. A version's name is never used twice.
        tags: for the version.
        run_metadata: metadata for the version.
        artifact_type: what it is for; the materializer says so when not given.

    Example:
        >>> def load() -> Annotated[pd.DataFrame, ArtifactConfig(name="iris", tags=["raw"])]: ...
    """

    name: str | None = None
    version: str | int | None = None
    tags: Sequence[str | Tag] | None = None
    run_metadata: Mapping[str, Any] | None = None
    artifact_type: ArtifactType | str | None = None


@dataclass(frozen=True)
class ExternalArtifact(StepInput):
    """A value from outside, given to a step as an input: it is saved as a version first, and the step is never cached.

    Args:
        value: any value.
        materializer: what turns it into files; chosen by its type when not given.
        store_artifact_metadata: whether to log what the materializer finds out about it.
        store_artifact_visualizations: whether to keep pictures or pages that show it.

    Example:
        >>> print_data(data=ExternalArtifact(value=np.array([0])))
    """

    value: Any
    materializer: type[BaseMaterializer] | str | None = None
    store_artifact_metadata: bool = True
    store_artifact_visualizations: bool = True

    def as_source(self) -> ExternalArtifact:
        return self


@dataclass(frozen=True)
class CachePolicy:
    """When the outputs of an earlier run of a step may be used again.

    Args:
        expires: how old, in seconds or as timedelta, that run may be; any age when not given.
        files: paths whose content the step depends on.
        environment: names of environment variables that it depends on.
        code: whether the code of the step, and of what it calls in your own modules, counts.
    """

    expires: float | timedelta | None = None
    files: Sequence[str] = ()
    environment: Sequence[str] = ()
    code: bool = True

    @property
    def expires_us(self) -> int | None:
        """The greatest age in microseconds."""
        if self.expires is None:
            return None
        seconds = self.expires.total_seconds() if isinstance(self.expires, timedelta) else self.expires
        return int(seconds * 1_000_000)


@dataclass(frozen=True)
class StepOptions:
    """Settings of a step or pipeline; None means that nothing was said, so that the next outer setting counts.

    Args:
        enable_cache: whether outputs of earlier runs may be used.
        cache_policy: when they may.
        output_materializers: materializer for all outputs, or by output name.
        substitutions: values of placeholders in output names.
        retries: how often a failing step is tried again.
        parameters: values of parameters that the call does not give.
        versions: names of versions, by output name.
        on_failure: called when the step has failed for good, with the exception if it takes one.
        on_success: called when the step is complete and its outputs are kept.
        model: the version of a model that its outputs are put into.
        depends_on: paths and patterns of files that the step depends on.
        observe: whether what it is seen to use while it runs counts; yes when nothing was said.
    """

    enable_cache: bool | None = None
    cache_policy: CachePolicy | None = None
    output_materializers: Mapping[str, type[BaseMaterializer] | str] | type[BaseMaterializer] | str | None = None
    substitutions: Mapping[str, str] = field(default_factory=dict)
    retries: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    on_failure: Hook | None = None
    on_success: Hook | None = None
    model: Model | None = None
    depends_on: Sequence[str] = ()
    observe: bool | None = None

    def __post_init__(self) -> None:
        if self.enable_cache not in (None, True, False):
            raise InvalidValue(f"enable_cache is True or False, not {self.enable_cache!r}")
        if self.observe not in (None, True, False):
            raise InvalidValue(f"observe is True or False, not {self.observe!r}")
        if self.retries is not None and (type(self.retries) is not int or self.retries < 0):
            raise InvalidValue(f"retries is a number from 0, not {self.retries!r}")
        if self.model is not None and not isinstance(self.model, Model):
            raise InvalidValue(f"model is a Model(name, version), not {self.model!r}")
        checked_hook(self.on_failure, "on_failure", 1)
        checked_hook(self.on_success, "on_success", 0)

    def over(self, outer: StepOptions) -> StepOptions:
        """These settings, and the outer ones where nothing is said here."""
        return StepOptions(
            enable_cache=outer.enable_cache if self.enable_cache is None else self.enable_cache,
            cache_policy=self.cache_policy or outer.cache_policy,
            output_materializers=self.output_materializers or outer.output_materializers,
            substitutions={**outer.substitutions, **self.substitutions},
            retries=outer.retries if self.retries is None else self.retries,
            parameters={**outer.parameters, **self.parameters},
            versions={**outer.versions, **self.versions},
            on_failure=self.on_failure or outer.on_failure,
            on_success=self.on_success or outer.on_success,
            model=self.model or outer.model,
            depends_on=tuple(self.depends_on) or tuple(outer.depends_on),
            observe=outer.observe if self.observe is None else self.observe,
        )

    def materializer_of(self, output: str) -> type[BaseMaterializer] | str | None:
        """The materializer that was chosen for an output."""
        if isinstance(self.output_materializers, Mapping):
            return self.output_materializers.get(output)
        return self.output_materializers


def recorded_parameters(parameters: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Returns the JSON that parameters are recorded as, with their types; see `artfs.materializers.json.parameters`.

    Raises InvalidValue for a value that JSON cannot say with its type: it must be an artifact.
    """
    recorded = {}
    for name, value in parameters.items():
        try:
            recorded[name] = to_form(value)
        except MaterializerError as error:
            if isinstance(error, NotPlain) and isinstance(error.value, StepInput):
                raise InvalidValue(
                    f"{owner}: input '{name}' mixes outputs of steps with other values; give them as a list of their"
                    " own",
                    subject=name,
                ) from None
            raise InvalidValue(
                f"{owner}: parameter '{name}' cannot be kept as it is ({error}); make it the output of a step, "
                "or wrap it in ExternalArtifact(value=...)",
                subject=name,
            ) from None
    return recorded


def checked_paths(paths: Any) -> tuple[str, ...]:
    """Returns paths as text, or raises InvalidValue: a single one would be taken for a list of letters."""
    if paths is None:
        return ()
    if isinstance(paths, str | os.PathLike) or not all(isinstance(each, str | os.PathLike) for each in paths):
        raise InvalidValue(f"depends_on is a list of paths or patterns, not {paths!r}")
    return tuple(os.fspath(each) for each in paths)
