"""artfs keeps ML artifacts as versions that you can `ls`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from artfs.annotations import add_tags, link_artifact_to_model, log_artifact_metadata, log_metadata, remove_tags
    from artfs.artifacts.tagging import Tag
    from artfs.functions import load_artifact, register_artifact, save_artifact
    from artfs.objects.named_model import Model
    from artfs.pipelines.define.config import ArtifactConfig
    from artfs.pipelines.define.stands_for import ExternalArtifact
    from artfs.pipelines.define.step import step
    from artfs.pipelines.pipeline import pipeline
    from artfs.pipelines.task.context import get_step_context

__version__ = "0.1.0"

__all__ = [
    "ArtifactConfig",
    "ExternalArtifact",
    "Model",
    "Tag",
    "add_tags",
    "get_step_context",
    "link_artifact_to_model",
    "load_artifact",
    "log_artifact_metadata",
    "log_metadata",
    "pipeline",
    "register_artifact",
    "remove_tags",
    "save_artifact",
    "step",
]

#: public name -> module that defines it; loaded on first use, so that `import artfs` stays light.
_EXPORTS: dict[str, str] = {
    "ArtifactConfig": "artfs.pipelines",
    "ExternalArtifact": "artfs.pipelines",
    "Model": "artfs.objects.named_model",
    "Tag": "artfs.artifacts.tagging",
    "add_tags": "artfs.annotations",
    "get_step_context": "artfs.pipelines",
    "link_artifact_to_model": "artfs.annotations",
    "load_artifact": "artfs.functions",
    "log_artifact_metadata": "artfs.annotations",
    "log_metadata": "artfs.annotations",
    "pipeline": "artfs.pipelines",
    "register_artifact": "artfs.functions",
    "remove_tags": "artfs.annotations",
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
