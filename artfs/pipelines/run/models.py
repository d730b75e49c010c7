"""The versions of models that a run, and what its steps make, are put into."""

from __future__ import annotations

from artfs.artifacts.models import create_model_version, ensured_model_version, link_run
from artfs.catalog.models import ModelVersion
from artfs.catalog.runs import Run
from artfs.objects.named_model import Model
from artfs.workspace.workspace import Workspace


class RunModels:
    """Looks each up once in a run: a model without a version gets a new one."""

    def __init__(self, workspace: Workspace, run: Run) -> None:
        self._workspace = workspace
        self._run = run
        self._found: dict[Model, ModelVersion] = {}

    def of(self, model: Model | None) -> int | None:
        """Returns the row id of what a `Model` means in this run. Raises ModelNotFound, InvalidName."""
        if model is None:
            return None
        if model not in self._found:
            make = create_model_version if model.version is None else ensured_model_version
            with self._workspace.catalog.transaction():
                found = make(self._workspace, model.name, model.version, description=model.description)
                link_run(self._workspace, found, self._run)
            self._found[model] = found
        return self._found[model].id
