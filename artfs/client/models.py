"""Models: collections of versions under one name."""

from __future__ import annotations

from artfs.artifacts import models
from artfs.client.base import _Calls
from artfs.enums import ModelStages
from artfs.objects.model import ModelResponse, ModelVersionResponse


class _ModelCalls(_Calls):
    """What a client can be asked about models."""

    def create_model(self, name: str, description: str | None = None) -> ModelResponse:
        """Make a model. Raises InvalidName, or AlreadyExists if there is one of that name."""
        return self._objects.model(models.create_model(self.workspace, name, description=description))

    def get_model(self, name: str) -> ModelResponse:
        """Return a model. Raises ModelNotFound."""
        return self._objects.model(models.find_model(self.workspace.catalog, name))

    def list_models(self) -> list[ModelResponse]:
        """Return all models, by name."""
        return [self._objects.model(row) for row in self.workspace.catalog.models.list()]

    def delete_model(self, name: str) -> None:
        """Forget a model with all its versions; the artifacts' versions in them stay. Raises ModelNotFound."""
        models.delete_model(self.workspace, models.find_model(self.workspace.catalog, name))

    def create_model_version(
        self, model_name: str, name: str | int | None = None, description: str | None = None
    ) -> ModelVersionResponse:
        """Make a version of a model, which is made too if there is none.

        Args:
            model_name: the model.
            name: of the version; the next number when not given.
            description: what is special about it.

        Raises:
            InvalidName: a name cannot be used.
            AlreadyExists: the model has a version of that name.
        """
        made = models.create_model_version(self.workspace, model_name, name, description=description)
        return self._objects.model_version(made)

    def get_model_version(self, model_name: str, version: str | int | None = None) -> ModelVersionResponse:
        """Return a version of a model.

        Args:
            model_name: the model.
            version: a number, a name, a stage (`staging`, `production`), or `latest`; the newest when not given.

        Raises:
            ModelNotFound: there is none.
        """
        return self._objects.model_version(models.find_model_version(self.workspace.catalog, model_name, version))

    def list_model_versions(self, model_name: str) -> list[ModelVersionResponse]:
        """Return the versions of a model, oldest first. Raises ModelNotFound."""
        return self.get_model(model_name).versions

    def update_model_version(
        self, model_name: str, version: str | int | None = None, *, stage: ModelStages | str, force: bool = False
    ) -> ModelVersionResponse:
        """Put a version of a model into a stage, and return it.

        Args:
            model_name, version: as for `get_model_version`.
            stage: staging, production, archived or none.
            force: archive the version that is in it.

        Raises:
            ModelNotFound: there is none.
            InvalidValue: there is no such stage, or another version is in it and `force` is not set.
        """
        row = models.find_model_version(self.workspace.catalog, model_name, version)
        return self._objects.model_version(models.set_stage(self.workspace, row, stage, force=force))

    def delete_model_version(self, model_name: str, version: str | int) -> None:
        """Forget a version of a model; the artifacts' versions in it stay. Raises ModelNotFound."""
        self.get_model_version(model_name, version).delete()
