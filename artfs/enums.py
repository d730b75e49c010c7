"""The closed sets of words that the library, the catalog and the command line share."""

from __future__ import annotations

from enum import StrEnum


class ArtifactType(StrEnum):
    """What an artifact is for; a materializer gives the default, `artifact_type=` overrides it."""

    DATA_ANALYSIS = "DataAnalysisArtifact"
    DATA = "DataArtifact"
    MODEL = "ModelArtifact"
    SCHEMA = "SchemaArtifact"
    SERVICE = "ServiceArtifact"
    STATISTICS = "StatisticsArtifact"
    BASE = "BaseArtifact"


class VisualizationType(StrEnum):
    """How a visualization file is to be displayed."""

    CSV = "csv"
    HTML = "html"
    IMAGE = "image"
    MARKDOWN = "markdown"
    JSON = "json"


class ArtifactSaveType(StrEnum):
    """How a version was saved."""

    INCOMING = "incoming"
    MANUAL = "manual"
    STEP_OUTPUT = "step_output"
    PREEXISTING = "preexisting"
    EXTERNAL = "external"


class Granularity(StrEnum):
    """What of a draft becomes one version."""

    DRAFT = "draft"
    """All of it."""
    CHILD = "child"
    """Each thing directly in it, which gets its name as a tag."""


class Retention(StrEnum):
    """What becomes of versions that drafts became by themselves when the disk is short of room."""

    ROOM = "room"
    """The oldest of them go."""
    KEEP = "keep"
    """All stay."""


class ExecutionStatus(StrEnum):
    """Status of a pipeline run or a step run."""

    INITIALIZING = "initializing"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CACHED = "cached"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """Whether the status can no longer change."""
        return self not in (ExecutionStatus.INITIALIZING, ExecutionStatus.RUNNING)

    @property
    def is_successful(self) -> bool:
        """Whether the outputs exist."""
        return self in (ExecutionStatus.COMPLETED, ExecutionStatus.CACHED)


class ModelStages(StrEnum):
    """Where a version of a model stands, and words for one that is looked for."""

    NONE = "none"
    STAGING = "staging"
    """At most one version of a model is in it."""
    PRODUCTION = "production"
    """At most one version of a model is in it."""
    ARCHIVED = "archived"
    LATEST = "latest"
    """The newest version, whatever its stage."""

    @property
    def is_exclusive(self) -> bool:
        """Whether at most one version of a model is in it."""
        return self in (ModelStages.STAGING, ModelStages.PRODUCTION)


class StackComponentType(StrEnum):
    """The parts a stack is made of."""

    ARTIFACT_STORE = "artifact_store"
    ORCHESTRATOR = "orchestrator"
