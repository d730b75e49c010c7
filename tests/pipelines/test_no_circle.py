"""Lineage has no circle, whatever is called in whatever order: saving, loading, steps, links, observed runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from artfs import load_artifact, pipeline, save_artifact, step
from artfs.catalog.versions import Version
from artfs.client import Client
from artfs.errors import InvalidValue
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming import lineage
from artfs_mount.incoming.observed import Actor, Author

NAMES = st.sampled_from(["a", "b", "c"])
PICKS = st.integers(0, 30)
ACTIONS = st.lists(st.tuples(st.sampled_from(["load", "save", "load and save", "pipeline"]), NAMES, PICKS), max_size=4)


@step(enable_cache=False)
def act(actions: list[Any], inputs: Any = None) -> int:
    """A step that does by hand what it is told."""
    for what, name, number in actions:
        if "load" in what:
            artifact, version = known()[number % len(known())]
            load_artifact(artifact, version)
        if "save" in what:
            save_artifact(number, name=name)
        if what == "pipeline":
            inner()
    return len(actions)


@step
def newest_plus_one() -> int:
    return int(load_artifact("a")) + 1


@pipeline
def inner() -> None:
    newest_plus_one()


@pipeline
def outer(actions: list[Any], picks: list[int]) -> None:
    versions = [Client().get_artifact_version(*known()[number % len(known())]) for number in picks]
    first = act(actions, versions or None)
    act(actions, [first, *versions])


def known() -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in Client().list_artifact_versions(size=1000)]


class Calls(RuleBasedStateMachine):
    """Any mix of calls on a catalog."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        os.environ["ARTFS_HOME"] = self.folder.name
        self.workspace = Workspace.open(Path(self.folder.name))
        self.catalog = self.workspace.catalog
        save_artifact(0, name="a")

    def teardown(self) -> None:
        if hasattr(self, "workspace"):
            self.workspace.close()
            self.folder.cleanup()

    def versions(self) -> list[Version]:
        return [version for row in self.catalog.artifacts.list() for version in self.catalog.versions.list(row.id)]

    def version(self, number: int) -> Version:
        return self.versions()[number % len(self.versions())]

    @rule(name=NAMES, value=st.integers(0, 3))
    def save(self, name: str, value: int) -> None:
        save_artifact(value, name=name)

    @rule(actions=ACTIONS, picks=st.lists(PICKS, max_size=2))
    def run(self, actions: list[Any], picks: list[int]) -> None:
        outer([list(action) for action in actions], picks)

    @rule(step_of=PICKS, version=PICKS, as_input=st.booleans(), produced=st.booleans())
    def link(self, step_of: int, version: int, as_input: bool, produced: bool) -> None:
        producer = self.version(step_of).producer_id
        if producer is None:
            return
        try:
            if as_input:
                self.catalog.steps.add_input(producer, "linked", self.version(version).id)
            else:
                self.catalog.steps.add_output(producer, "linked", self.version(version).id, produced=produced)
        except InvalidValue:
            pass  # refused, as it would make a circle possible

    @rule(wrote=PICKS, read=st.lists(PICKS, max_size=3))
    def observe(self, wrote: int, read: list[int]) -> None:
        actor = Actor("group:1", 1, ("train.py",), None, (1, 1))
        for number in read:
            actor.read(self.version(number).id)
        lineage.record(self.catalog, self.version(wrote), [Author.now(actor)])

    @rule(number=PICKS)
    def delete(self, number: int) -> None:
        if len(self.versions()) > 3:
            Client().delete_artifact_version(self.version(number).uuid, force=True)
            save_artifact(0, name="a")

    @invariant()
    def no_version_is_its_own_ancestor(self) -> None:
        for version in self.versions():
            ancestors = self.catalog.lineage.ancestors(version.id)
            assert version.id not in ancestors
            assert all(ancestor < version.id for ancestor in ancestors)


@pytest.fixture(autouse=True)
def restore_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes the variable, which the machine changes, so that it is put back."""
    monkeypatch.setenv("ARTFS_HOME", os.environ["ARTFS_HOME"])


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
