"""The YAML file that can settle versions, parameters and caching of a pipeline, so that its code need not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from artfs.errors import InvalidValue, SourceNotFound
from artfs.pipelines.define.config import StepOptions

T = TypeVar("T")

_PIPELINE_KEYS = {"parameters", "enable_cache", "run_name", "substitutions", "steps"}
_STEP_KEYS = {"parameters", "enable_cache", "retries", "substitutions", "outputs"}
_OUTPUT_KEYS = {"version"}


@dataclass(frozen=True)
class Configuration:
    """What a file says: of the run, of the pipeline, and of its steps by name."""

    run_name: str | None
    pipeline: StepOptions
    steps: Mapping[str, StepOptions]


def read_configuration(path: str | PathLike[str]) -> Configuration:
    """Reads a file. Raises SourceNotFound, or InvalidValue naming the key that makes no sense."""
    import yaml

    file = Path(path)
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
    except FileNotFoundError:
        raise SourceNotFound(f"the configuration {file} does not exist", subject=file) from None
    except yaml.YAMLError as error:
        raise InvalidValue(f"{file} is not YAML: {error}", subject=file) from None
    top = _mapping(content, _PIPELINE_KEYS, f"{file}")
    steps = _mapping(top.get("steps"), None, f"{file}: steps")
    return Configuration(
        _typed(top, "run_name", str, f"{file}"),
        StepOptions(
            enable_cache=_typed(top, "enable_cache", bool, f"{file}"),
            parameters=_mapping(top.get("parameters"), None, f"{file}: parameters"),
            substitutions=_mapping(top.get("substitutions"), None, f"{file}: substitutions"),
        ),
        {name: _step(value, f"{file}: steps.{name}") for name, value in steps.items()},
    )


def _step(content: Any, where: str) -> StepOptions:
    step = _mapping(content, _STEP_KEYS, where)
    outputs = _mapping(step.get("outputs"), None, f"{where}.outputs")
    versions = {}
    for name, value in outputs.items():
        output = _mapping(value, _OUTPUT_KEYS, f"{where}.outputs.{name}")
        if output.get("version") is not None:
            versions[name] = str(output["version"])
    return StepOptions(
        enable_cache=_typed(step, "enable_cache", bool, where),
        retries=_typed(step, "retries", int, where),
        parameters=_mapping(step.get("parameters"), None, f"{where}.parameters"),
        substitutions=_mapping(step.get("substitutions"), None, f"{where}.substitutions"),
        versions=versions,
    )


def _typed(content: Mapping[str, Any], key: str, kind: type[T], where: str) -> T | None:
    value = content.get(key)
    if value is None or type(value) is kind:
        return value
    raise InvalidValue(f"{where}: '{key}' must be {kind.__name__}, not {value!r}", subject=key)


def _mapping(value: Any, keys: set[str] | None, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidValue(f"{where} must be a mapping, not {type(value).__name__}")
    unknown = set(map(str, value)) - keys if keys is not None else set()
    if unknown:
        raise InvalidValue(f"{where}: unknown key '{min(unknown)}' (known: {', '.join(sorted(keys or ()))})")
    return {str(key): item for key, item in value.items()}
