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
        text = file.read_text("utf-8")
        content = yaml.safe_load(text) or {}
        texts = yaml.load(text, _loader_of_texts()) or {}
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
            substitutions=_as_written(top, texts, "substitutions", f"{file}: substitutions"),
        ),
        {name: _step(value, _within(texts, "steps", name), f"{file}: steps.{name}") for name, value in steps.items()},
    )


def _loader_of_texts() -> Any:
    """A loader that leaves every value the text it is written as: `1.10` is a name of a version, and no number."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # of merged mappings
    return Loader


def _step(content: Any, texts: Any, where: str) -> StepOptions:
    step = _mapping(content, _STEP_KEYS, where)
    outputs = _mapping(step.get("outputs"), None, f"{where}.outputs")
    versions = {}
    for name, value in outputs.items():
        output = _mapping(value, _OUTPUT_KEYS, f"{where}.outputs.{name}")
        if output.get("version") is not None:
            versions[name] = str(_within(texts, "outputs", name, "version") or output["version"])
    return StepOptions(
        enable_cache=_typed(step, "enable_cache", bool, where),
        retries=_typed(step, "retries", int, where),
        parameters=_mapping(step.get("parameters"), None, f"{where}.parameters"),
        substitutions=_as_written(step, texts, "substitutions", f"{where}.substitutions"),
        versions=versions,
    )


def _as_written(content: Mapping[str, Any], texts: Any, key: str, where: str) -> dict[str, str]:
    return {
        name: str(_within(texts, key, name) or value) for name, value in _mapping(content.get(key), None, where).items()
    }


def _within(texts: Any, *keys: str) -> Any:
    """What lies at these keys; None where the file says something else there, which is told elsewhere."""
    for key in keys:
        texts = texts.get(key) if isinstance(texts, dict) else None
    return texts


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
