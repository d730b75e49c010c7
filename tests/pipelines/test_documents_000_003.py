"""What documents 000 (artifact stores) and 003 (how data is stored) say of steps, caching and lineage holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from artfs.client import Client
from support import programs
from support.documents import PRELUDE, SIMPLE, Document


def test_000_inputs_and_outputs_of_any_step_are_artifacts(document: Document, home: Path) -> None:
    """ "The inputs and outputs which go through any step are treated as artifacts", loaded "from previous executions".

    Sections "Overview" and "How Artifacts Work".
    """
    names = document(SIMPLE)
    names.simple_pipeline()
    run = names.simple_pipeline()
    version = run.steps["process_data"].inputs["df"]
    assert Path(version.uri).is_relative_to(home / "store")
    assert version.load().equals(Client().get_artifact_version(version.id).load())
    assert [each.name for each in version.lineage.consumers] == ["process_data"] * 2


def test_000_and_003_lineage_leads_back_to_the_origin(document: Document) -> None:
    """ "Trace an artifact back to its origins and understand the exact sequence of executions that led to its creation"

    003, section "Artifact Creation and Caching"; 000, section "Artifact Lineage".
    """
    run = document(SIMPLE).simple_pipeline()
    created, processed = (run.steps[name].output for name in ("create_data", "process_data"))
    assert processed.lineage.ancestors() == [created]
    assert created.lineage.descendants() == [processed]
    steps = [version.lineage.producer for version in (created, processed)]
    assert [each.name for each in steps if each] == ["create_data", "process_data"]
    assert [version.lineage.run for version in (created, processed)] == [run, run]


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("inputs", "[1, 2, 3]", "[1, 2, 4]"),
        ("outputs", "(df: pd.DataFrame) -> pd.DataFrame", '(df: pd.DataFrame) -> Annotated[pd.DataFrame, "named"]'),
        ("parameters", "process_data(data)", "process_data.with_options(parameters={'factor': 2})(data)"),
        ("configuration", "process_data(data)", "process_data.with_options(enable_cache=False)(data)"),
    ],
)
def test_003_a_change_of_inputs_outputs_parameters_or_configuration_is_found(
    tmp_path: Path, what: str, old: str, new: str
) -> None:
    """ "The system first checks if there have been any changes in the inputs, outputs, parameters, or configuration."

    Section "Artifact Creation and Caching".
    """
    code = PRELUDE + SIMPLE.replace("zenml", "artfs")
    if what == "parameters":
        code = code.replace("(df: pd.DataFrame)", "(df: pd.DataFrame, factor: int = 1)")

    def status(text: str) -> str:
        run = programs.module(tmp_path, "changing_document", text).simple_pipeline()
        return str(run.steps["process_data"].status)

    assert [status(code), status(code)] == ["completed", "cached"]
    assert code.count(old) == 1
    assert status(code.replace(old, new)) == "completed"


def test_003_each_new_output_has_a_directory_of_its_own(document: Document) -> None:
    """ "Creates a new directory structure in the Artifact Store with a unique ID".

    Section "Artifact Creation and Caching".
    """
    runs = [document(code).simple_pipeline() for code in (SIMPLE, SIMPLE.replace("[1, 2, 3]", "[1, 2, 4]"))]
    assert len({run.steps[name].output.uri for run in runs for name in run.steps}) == 4
