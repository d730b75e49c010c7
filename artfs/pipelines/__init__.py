"""Steps and pipelines: plain functions whose inputs and outputs are kept as versions."""

from __future__ import annotations

from artfs.pipelines.define.config import ArtifactConfig, CachePolicy, ExternalArtifact
from artfs.pipelines.define.step import Step, step
from artfs.pipelines.pipeline import Pipeline, pipeline
from artfs.pipelines.task.context import StepContext, get_step_context

__all__ = [
    "ArtifactConfig",
    "CachePolicy",
    "ExternalArtifact",
    "Pipeline",
    "Step",
    "StepContext",
    "get_step_context",
    "pipeline",
    "step",
]
