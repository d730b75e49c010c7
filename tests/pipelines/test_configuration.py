"""A YAML file settles versions, parameters and caching without a change of code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

from artfs import load_artifact, pipeline, step
from artfs.errors import InvalidValue, SourceNotFound


@step
def load(size: int = 1, factor: int = 1) -> Annotated[int, "iris"]:
    return size * factor


@pipeline
def training(name: str = "x") -> None:
    load(factor=3)


def test_a_file_names_versions_gives_parameters_and_switches_caching(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        """
run_name: release_{who}
enable_cache: true
parameters: {name: from the file}
substitutions: {who: me}
steps:
  load:
    enable_cache: false
    parameters: {size: 5, factor: 100}
    outputs:
      iris: {version: "{who}_2023"}
"""
    )
    run = training.with_options(config_path=file)()
    assert run.name == "release_me"
    assert run.config["parameters"] == {"name": "from the file"}
    assert run.steps["load"].parameters == {"size": 5, "factor": 3}  # what the code says stands
    assert run.steps["load"].row.cache_key is None
    assert load_artifact("iris", "me_2023") == 15
    assert training(name="code").config["parameters"] == {"name": "code"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("stepz: {}", "stepz"),
        ("steps: {lod: {}}", "'lod'.*load"),
        ("steps: {load: {outputs: {irs: {version: a}}}}", "'irs'.*iris"),
        ("steps: {load: {parameters: {sice: 1}}}", "'sice'.*size"),
        ("steps: {load: {enable_cache: sometimes}}", "enable_cache"),
        ("steps: {load: {retries: a lot}}", "retries"),
        ("parameters: {nme: 1}", "'nme'"),
        ("steps: [load]", "steps"),
        ("a: [", "not YAML"),
    ],
)
def test_a_mistake_in_the_file_is_told_by_name(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(InvalidValue, match=what):
        training.with_options(config_path=file)()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"config\.yaml"):
        training.with_options(config_path=tmp_path / "config.yaml")
