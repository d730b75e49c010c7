"""Steps and pipelines: plain functions whose inputs and outputs are kept as versions."""

from __future__ import annotations

from artfs.pipelines.config import ArtifactConfig, CachePolicy, ExternalArtifact
from artfs.pipelines.context import StepContext, get_step_context
from artfs.pipelines.pipeline import Pipeline, pipeline
from artfs.pipelines.step import Step, step

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
