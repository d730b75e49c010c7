"""`Model`: a version of a model by its name, which is looked up, or made, when something is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artfs.artifacts.models import ensured_model_version, find_model_version
from artfs.enums import ModelStages
from artfs.workspace.current import current_workspace

if TYPE_CHECKING:
    from artfs.objects.model import ModelVersionResponse
    from artfs.objects.version import ArtifactVersionResponse


@dataclass(frozen=True, slots=True)
class Model:
    """A version of a model: a collection of versions, shown in a mount as `/models/<name>/<version>/`.

    Args:
        name: of the model.
        version: a number or a name; or a stage (`staging`, `production`), or `latest`. When not given the newest, and
            in `@pipeline(model=...)` a new one for each run.
        description: what is special about the version, when it is made.

    Example:
        >>> Model("classifier", "1").link(save_artifact(weights, "weights"))
        >>> Model("classifier", "1").set_stage("production")
        >>> Model("classifier", "production").get_artifact("weights").load()
    """

    name: str
    version: str | int | None = None
    description: str | None = None

    def link(
        self, artifact: str | ArtifactVersionResponse, version: str | int | None = None
    ) -> ArtifactVersionResponse:
        """Put a version of an artifact into it; model and version are made if there are none.

        Args:
            artifact: a version; or the name of an artifact, or the id of a version.
            version: which version of the artifact: a number, a name, `latest` or `@tag`; the newest when not given.

        Raises:
            ArtifactNotFound, VersionNotFound, ModelNotFound: what is named is not there.
            InvalidName: model or version cannot be called so.
        """
        workspace = current_workspace()
        with workspace.catalog.transaction():
            row = ensured_model_version(workspace, self.name, self.version, description=self.description)
            return _held(row).link(artifact, version)

    def get_artifact(self, name: str, version: str | int | None = None) -> ArtifactVersionResponse:
        """Return the version of an artifact that is in it: the newest of those, unless `version` says which.

        Raises:
            ModelNotFound, ArtifactNotFound, VersionNotFound: there is none.
        """
        return self.get().get_artifact(name, version)

    def load_artifact(self, name: str, version: str | int | None = None) -> Any:
        """Return the value of a version that is in it; as `get_artifact`."""
        return self.get_artifact(name, version).load()

    @property
    def stage(self) -> ModelStages:
        """Where it stands. Raises ModelNotFound."""
        return self.get().stage

    def set_stage(self, stage: ModelStages | str, force: bool = False) -> None:
        """Put it into a stage: staging, production, archived or none.

        Args:
            stage: the stage. At most one version of a model is in staging, and one in production.
            force: archive the version that is in it.

        Raises:
            ModelNotFound: there is none.
            InvalidValue: there is no such stage, or another version is in it and `force` is not set.
        """
        self.get().set_stage(stage, force)

    def get(self) -> ModelVersionResponse:
        """Return what it names, as it is now. Raises ModelNotFound."""
        return _held(find_model_version(current_workspace().catalog, self.name, self.version))


def _held(row: Any) -> ModelVersionResponse:
    from artfs.objects.objects import Objects

    return Objects(current_workspace()).model_version(row)
