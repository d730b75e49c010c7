"""artfs keeps ML artifacts as versions that you can `ls`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from artfs.functions import load_artifact, log_artifact_metadata, register_artifact, save_artifact
    from artfs.pipelines.define.config import ArtifactConfig
    from artfs.pipelines.define.stands_for import ExternalArtifact
    from artfs.pipelines.define.step import step
    from artfs.pipelines.pipeline import pipeline
    from artfs.pipelines.task.context import get_step_context

__version__ = "0.1.0"

__all__ = [
    "ArtifactConfig",
    "ExternalArtifact",
    "get_step_context",
    "load_artifact",
    "log_artifact_metadata",
    "pipeline",
    "register_artifact",
    "save_artifact",
    "step",
]

#: public name -> module that defines it; loaded on first use, so that `import artfs` stays light.
_EXPORTS: dict[str, str] = {
    "ArtifactConfig": "artfs.pipelines",
    "ExternalArtifact": "artfs.pipelines",
    "get_step_context": "artfs.pipelines",
    "load_artifact": "artfs.functions",
    "log_artifact_metadata": "artfs.functions",
    "pipeline": "artfs.pipelines",
    "register_artifact": "artfs.functions",
    "save_artifact": "artfs.functions",
    "step": "artfs.pipelines",
}


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
