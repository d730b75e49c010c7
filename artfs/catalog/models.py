"""Models: versions and runs that belong together, as collections under one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from artfs.catalog.engine import Engine, Parameters, Row, insert_sql, now_us, scalar
from artfs.catalog.sound import sound_name
from artfs.catalog.version_numbers import number_of
from artfs.enums import ModelStages
from artfs.errors import AlreadyExists, ModelNotFound, VersionNotFound
from artfs.names import check_model_name, check_model_version_name

_MODEL = "SELECT m.id, m.name, m.description, m.created_us FROM model m"
_VERSION = (
    "SELECT c.id, c.uuid, c.model_id, m.name, c.name, c.number, c.stage, c.description, c.created_us "
    "FROM model_version c JOIN model m ON m.id = c.model_id"
)


@dataclass(frozen=True, slots=True)
class Model:
    """A name for collections."""

    id: int
    name: str
    description: str | None
    created_us: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A collection of versions and runs.

    Args:
        model: name of the model.
        name: its number as text, or the name that was chosen.
        number: the number, if the name is one.
        stage: staging, production or archived; None for none.
    """

    id: int
    uuid: str
    model_id: int
    model: str
    name: str
    number: int | None
    stage: str | None
    description: str | None
    created_us: int

    @property
    def shown_name(self) -> str:
        """What people call it."""
        return f"{self.model}/{self.name}"


class Models:
    """The models of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> Model | None:
        """Return the model of that name."""
        return self._model("m.name = :name", {"name": name})

    def by_id(self, model_id: int) -> Model | None:
        """Return the model of that row id."""
        return self._model("m.id = :id", {"id": model_id})

    def list(self) -> Sequence[Model]:
        """Return all models, by name."""
        return [_model(row) for row in self._engine.query(f"{_MODEL} ORDER BY m.name")]

    def ensure(self, name: str, *, description: str | None = None, user_id: int | None = None) -> Model:
        """Return the model of that name, made if there is none. Raises InvalidName."""
        check_model_name(name)
        found = self.get(name)
        if found is None:
            values = {"name": name, "description": description, "user_id": user_id, "created_us": now_us()}
            self._engine.execute(insert_sql("model", values) + " ON CONFLICT (name) DO NOTHING", values)
            found = self.get(name)
        assert found is not None
        return found

    def delete(self, model_id: int) -> None:
        """Forget a model with all its collections. What is in them stays. Raises ModelNotFound."""
        with self._engine.transaction():
            for version in self.versions(model_id):
                self.delete_version(version.id)
            if not self._engine.execute("DELETE FROM model WHERE id = :id", {"id": model_id}):
                raise ModelNotFound(f"there is no model with id {model_id}", subject=str(model_id))

    # Collections.

    def create_version(
        self, model_id: int, name: str | None = None, *, description: str | None = None, user_id: int | None = None
    ) -> ModelVersion:
        """Make a collection, named by the next number when no name is given.

        Raises InvalidName, or AlreadyExists if the model has one of that name.
        """
        with self._engine.transaction():
            number = number_of(check_model_version_name(name)) if name is not None else self._next_number(model_id)
            values = {
                "uuid": str(uuid4()),
                "model_id": model_id,
                "name": name if name is not None else str(number),
                "number": number,
                "description": description,
                "user_id": user_id,
                "created_us": now_us(),
            }
            row = self._engine.one(
                insert_sql("model_version", values) + " ON CONFLICT (model_id, name) DO NOTHING RETURNING id", values
            )
            if row is None:
                raise AlreadyExists(f"the model has a version '{name}' already: choose another name", subject=name)
            if name is not None and number is not None:
                self._engine.execute(
                    "UPDATE model SET next_number = :next WHERE id = :id AND next_number < :next",
                    {"next": number + 1, "id": model_id},
                )
            made = self.version_by_id(row[0])
        assert made is not None
        return made

    def version(self, model_id: int, name: str) -> ModelVersion | None:
        """Return a model's collection of that name."""
        return self._one("c.model_id = :model AND c.name = :name", {"model": model_id, "name": name})

    def version_by_id(self, model_version_id: int) -> ModelVersion | None:
        """Return the collection of that row id."""
        return self._one("c.id = :id", {"id": model_version_id})

    def in_stage(self, model_id: int, stage: ModelStages) -> ModelVersion | None:
        """Return the newest collection of a model in a stage."""
        return self._one(
            "c.model_id = :model AND c.stage = :stage",
            {"model": model_id, "stage": stage.value},
            "ORDER BY c.created_us DESC, c.id DESC LIMIT 1",
        )

    def latest(self, model_id: int) -> ModelVersion | None:
        """Return the newest collection of a model."""
        return self._one("c.model_id = :model", {"model": model_id}, "ORDER BY c.created_us DESC, c.id DESC LIMIT 1")

    def versions(self, model_id: int) -> Sequence[ModelVersion]:
        """Return the collections of a model, oldest first."""
        rows = self._engine.query(
            f"{_VERSION} WHERE c.model_id = :model ORDER BY c.created_us, c.id", {"model": model_id}
        )
        return [_version(row) for row in rows]

    def set_stage(self, model_version_id: int, stage: ModelStages | None) -> ModelVersion | None:
        """Put a collection in a stage, or in none, and return the one that was in it, which is archived.

        Only staging and production are for one collection of a model alone. Raises ModelNotFound.
        """
        with self._engine.transaction():
            version = self.version_by_id(model_version_id)
            if version is None:
                raise _unknown(model_version_id)
            before = self.in_stage(version.model_id, stage) if stage is not None and stage.is_exclusive else None
            if before is not None and before.id != version.id:
                self._put(before.id, ModelStages.ARCHIVED.value)
            self._put(version.id, stage.value if stage is not None else None)
        return before if before is not None and before.id != version.id else None

    def delete_version(self, model_version_id: int) -> None:
        """Forget a collection. What is in it stays. Raises ModelNotFound."""
        with self._engine.transaction():
            self._engine.execute("DELETE FROM model_link WHERE model_version_id = :id", {"id": model_version_id})
            if not self._engine.execute("DELETE FROM model_version WHERE id = :id", {"id": model_version_id}):
                raise _unknown(model_version_id)

    # What is in them.

    def link(self, model_version_id: int, version_id: int, user_id: int | None = None) -> bool:
        """Put a version into a collection, and return whether it was not in it.

        Raises VersionNotFound for a version that is purged or was never there.
        """
        with self._engine.transaction():
            there = "SELECT 1 FROM version WHERE id = :version AND state <> 'purged'"
            if self._engine.one(there, {"version": version_id}) is None:
                raise VersionNotFound(f"there is no version with id {version_id}", subject=str(version_id))
            return self._insert({"version_id": version_id}, model_version_id, user_id)

    def link_run(self, model_version_id: int, run_id: int, user_id: int | None = None) -> bool:
        """Put a run into a collection, and return whether it was not in it."""
        return self._insert({"run_id": run_id}, model_version_id, user_id)

    def unlink(self, model_version_id: int, version_id: int) -> bool:
        """Take a version out of a collection, and return whether it was in it."""
        parameters = {"collection": model_version_id, "version": version_id}
        return bool(
            self._engine.execute(
                "DELETE FROM model_link WHERE model_version_id = :collection AND version_id = :version", parameters
            )
        )

    def version_ids(self, model_version_id: int) -> Sequence[int]:
        """Return the ids of the versions in a collection, oldest first."""
        rows = self._engine.query(
            "SELECT l.version_id FROM model_link l JOIN version v ON v.id = l.version_id "
            "WHERE l.model_version_id = :id AND l.version_id IS NOT NULL ORDER BY v.created_us, v.id",
            {"id": model_version_id},
        )
        return [row[0] for row in rows]

    def newest_of(self, model_version_id: int, artifact: str) -> int | None:
        """Return the id of the newest version of an artifact in a collection."""
        row = self._engine.one(
            "SELECT v.id FROM model_link l JOIN version v ON v.id = l.version_id "
            "JOIN artifact a ON a.id = v.artifact_id WHERE l.model_version_id = :id AND a.name = :artifact "
            "ORDER BY v.created_us DESC, v.id DESC LIMIT 1",
            {"id": model_version_id, "artifact": artifact},
        )
        return row[0] if row else None

    def run_ids(self, model_version_id: int) -> Sequence[int]:
        """Return the ids of the runs in a collection, oldest first."""
        rows = self._engine.query(
            "SELECT run_id FROM model_link WHERE model_version_id = :id AND run_id IS NOT NULL ORDER BY run_id",
            {"id": model_version_id},
        )
        return [row[0] for row in rows]

    def of_version(self, version_id: int) -> Sequence[ModelVersion]:
        """Return the collections that a version is in, oldest first."""
        rows = self._engine.query(
            f"{_VERSION} JOIN model_link l ON l.model_version_id = c.id WHERE l.version_id = :id ORDER BY c.id",
            {"id": version_id},
        )
        return [_version(row) for row in rows]

    def _next_number(self, model_id: int) -> int:
        number: int = scalar(
            self._engine.one(
                "UPDATE model SET next_number = next_number + 1 WHERE id = :id RETURNING next_number - 1",
                {"id": model_id},
            )
        )
        return number

    def _put(self, model_version_id: int, stage: str | None) -> None:
        self._engine.execute(
            "UPDATE model_version SET stage = :stage WHERE id = :id", {"stage": stage, "id": model_version_id}
        )

    def _insert(self, what: Parameters, model_version_id: int, user_id: int | None) -> bool:
        values = {"model_version_id": model_version_id, **what, "user_id": user_id, "created_us": now_us()}
        return bool(self._engine.execute(insert_sql("model_link", values) + " ON CONFLICT DO NOTHING", values))

    def _model(self, condition: str, parameters: Parameters) -> Model | None:
        row = self._engine.one(f"{_MODEL} WHERE {condition}", parameters)
        return _model(row) if row else None

    def _one(self, condition: str, parameters: Parameters, tail: str = "") -> ModelVersion | None:
        row = self._engine.one(f"{_VERSION} WHERE {condition} {tail}", parameters)
        return _version(row) if row else None


def _model(row: Row) -> Model:
    sound_name("a model", row[1])
    return Model(*row)


def _version(row: Row) -> ModelVersion:
    sound_name("a model", row[3])
    sound_name("the version of a model", row[4])
    return ModelVersion(*row)


def _unknown(model_version_id: int) -> ModelNotFound:
    return ModelNotFound(f"there is no version of a model with id {model_version_id}", subject=str(model_version_id))
