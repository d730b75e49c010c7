"""What is known of a step before it runs: the names of its outputs, and the task that an executor is given."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from artfs.artifacts.tagging import Tag
from artfs.enums import ArtifactType
from artfs.errors import InvalidValue
from artfs.materializers.base import BaseMaterializer
from artfs.names import check_artifact_name, check_version_name
from artfs.pipelines.define.composition import Invocation
from artfs.pipelines.define.hooks import Hook
from artfs.pipelines.define.step import Step


@dataclass(frozen=True)
class OutputPlan:
    """An output whose names are settled.

    slot: the name within the step. template: the same before placeholders were filled, as references to it have it.
    artifact: the name it is kept under.
    """

    slot: str
    template: str
    artifact: str
    annotation: Any
    version: str | None
    tags: Sequence[str | Tag]
    metadata: Mapping[str, Any]
    artifact_type: ArtifactType | str | None
    materializer: type[BaseMaterializer] | str | None


@dataclass(frozen=True)
class StepTask:
    """All that an executor needs to run a step, here or on another machine that sees the same catalog and store.

    home: of the catalog. inputs: ids of the versions for each input; several for an input that is a list.
    lists: inputs that take a list even of one version. main: what the script is called as a module.
    records_uses: whether what the step is seen to use is recorded; records_modules: whether all own modules are used;
    records_generators: whether the generators are those that the program has seeded. values: inputs that are at hand in
    memory, for executors that run in this process. tags: of the pipeline, for every version that the step makes.
    on_failure, on_success: as of `StepOptions`. model_version_id: the version of a model that it makes its outputs for.
    """

    home: Path
    run_uuid: str
    pipeline: str
    run_name: str
    step_run_id: int
    name: str
    step: Step[..., Any]
    inputs: Mapping[str, Sequence[int]]
    lists: frozenset[str]
    parameters: Mapping[str, Any]
    outputs: Sequence[OutputPlan]
    log_path: Path
    retries: int
    main: str = "__main__"
    records_uses: bool = False
    records_modules: bool = False
    records_generators: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    on_failure: Hook | None = None
    on_success: Hook | None = None
    model_version_id: int | None = None


@dataclass(frozen=True)
class Names:
    """Values of the placeholders in one run: `{date}`, `{time}` (UTC) and what the user substitutes."""

    date: str
    time: str

    @classmethod
    def at(cls, moment: datetime) -> Names:
        moment = moment.astimezone(UTC)
        return cls(moment.strftime("%Y_%m_%d"), moment.strftime("%H_%M_%S_%f"))

    def fill(self, template: str, substitutions: Mapping[str, str]) -> str:
        """Replaces the placeholders. Raises InvalidValue for one that has no value."""
        values = {"date": self.date, "time": self.time, **substitutions}
        try:
            wanted = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        except ValueError as error:
            raise InvalidValue(f"'{template}' is no name with placeholders: {error}", subject=template) from None
        for name in wanted:
            if name not in values:
                raise InvalidValue(
                    f"'{template}': nothing says what {{{name}}} is; give it with substitutions={{'{name}': ...}}",
                    subject=name,
                )
        return template.format_map(values) if wanted else template


def plan_outputs(invocation: Invocation, pipeline: str, names: Names) -> list[OutputPlan]:
    """Settles the names of a step's outputs."""
    planned: list[OutputPlan] = []
    _check_materializers(invocation, names)
    for spec in invocation.step.signature.outputs:
        options, config = invocation.options, spec.config
        slot = names.fill(spec.slot, options.substitutions) if spec.named else spec.slot
        artifact = slot if spec.named else f"{pipeline}::{invocation.name}::{slot}"
        version = options.versions.get(slot, options.versions.get(spec.slot, config.version))
        if version is not None:
            version = check_version_name(names.fill(str(version), options.substitutions))
        if any(slot == other.slot for other in planned):
            raise InvalidValue(f"step '{invocation.name}': two outputs are named '{slot}'", subject=slot)
        planned.append(
            OutputPlan(
                slot=slot,
                template=spec.slot,
                artifact=check_artifact_name(artifact),
                annotation=spec.annotation,
                version=version,
                tags=tuple(config.tags or ()),
                metadata=dict(config.run_metadata or {}),
                artifact_type=config.artifact_type,
                materializer=options.materializer_of(slot) or options.materializer_of(spec.slot),
            )
        )
    return planned


def _check_materializers(invocation: Invocation, names: Names) -> None:
    chosen = invocation.options.output_materializers
    if not isinstance(chosen, Mapping):
        return
    slots = {spec.slot for spec in invocation.step.signature.outputs}
    slots |= {names.fill(slot, invocation.options.substitutions) for slot in slots}
    for name in chosen:
        if name not in slots:
            raise InvalidValue(
                f"step '{invocation.name}': output_materializers names '{name}', which is no output of it"
                f" (it has: {', '.join(sorted(slots)) or 'none'})",
                subject=name,
            )
