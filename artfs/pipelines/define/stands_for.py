"""What type checkers are told of `ExternalArtifact`: it stands for its value. When code runs it is the class."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from artfs.pipelines.define import config

if TYPE_CHECKING:
    from artfs.materializers.base import BaseMaterializer

    T = TypeVar("T")

    def ExternalArtifact(
        value: T,
        materializer: type[BaseMaterializer] | str | None = None,
        store_artifact_metadata: bool = True,
        store_artifact_visualizations: bool = True,
    ) -> T:
        """Return what a step is given."""
else:
    ExternalArtifact = config.ExternalArtifact
