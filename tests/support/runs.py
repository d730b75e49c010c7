"""What tests ask of runs."""

from __future__ import annotations

from artfs.client import Client
from artfs.objects.run import PipelineRunResponse

PATIENCE = 60
"""Seconds after which something that never happens fails the test."""


def statuses(run: PipelineRunResponse) -> dict[str, str]:
    """How each step ended, by name."""
    return {name: str(each.status) for name, each in run.steps.items()}


def latest(pipeline_name: str) -> PipelineRunResponse:
    """The newest run of a pipeline."""
    return Client().get_pipeline_run(f"{pipeline_name}/latest")
