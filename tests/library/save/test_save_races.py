"""Saving and loading while something else happens: what is needed goes, a writer has not ended, an interrupt comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from artfs import save_artifact
from artfs.artifacts.save import prepared
from artfs.artifacts.seal import commit
from artfs.artifacts.visualize import read_visualization
from artfs.client import Client
from artfs.enums import VisualizationType
from artfs.errors import ChangedWhileReading, VersionNotFound
from artfs.materializers.base import BaseMaterializer
from artfs.stages import stages
from artfs.workspace.workspace import Workspace


def before_load() -> None:
    """Where a test lets something happen."""


class Shown(BaseMaterializer):
    """Writes a value, and shows it as a page that is always the same."""

    SKIP_REGISTRATION = True
    ASSOCIATED_TYPES = (object,)

    def load(self, data_type: type[Any]) -> Any:
        before_load()
        return Path(self.uri, "value").read_text()

    def save(self, data: Any) -> None:
        Path(self.uri, "value").write_text(data)

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        assert self.visualizations_dir is not None
        page = Path(self.visualizations_dir, "page.html")
        page.write_text("<p>the same page</p>")
        return {str(page): VisualizationType.HTML}


def test_a_visualization_shared_with_a_version_that_goes_meanwhile_is_kept(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "page").write_text("<p>the same page</p>")
    save_artifact(tmp_path / "page", "other")
    with prepared(workspace, "text", "shown", materializer=Shown) as ready:
        Client().delete_artifact("other")
        [version] = commit(workspace, [ready])
    [row] = workspace.catalog.visualizations.list(version.id)
    assert read_visualization(workspace, row.digest) == b"<p>the same page</p>"
    assert Client().collect_garbage().directories == []


SMALL, LARGE = "text", "text" * 20_000
"""The sync of a small file waits, so that it goes another way."""


@pytest.mark.parametrize("value", [SMALL, LARGE], ids=["small", "large"])
def test_a_file_that_is_still_written_to_while_it_is_saved_makes_no_version(workspace: Workspace, value: str) -> None:
    """A thread or process that a materializer left behind, with a file open."""

    def write(stage: str) -> None:
        if stage == "claimed":
            [written] = workspace.home.store_root.glob("late/*/value")
            written.chmod(0o600)
            with written.open("a") as late:
                late.write(" and more")

    with stages.heard(write), pytest.raises(ChangedWhileReading, match="was changed while it was stored"):
        save_artifact(value, "late", materializer=Shown, include_visualizations=False)
    assert Client().list_artifact_versions().total == 0
    assert list(workspace.stores.active.places()) == []


@pytest.mark.parametrize("value", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("moment", ["planned", "claimed", "brought", "recorded", "committed", "described"])
def test_an_interrupted_save_leaves_nothing(workspace: Workspace, moment: str, value: str) -> None:
    def interrupt(stage: str) -> None:
        if stage == moment:
            raise KeyboardInterrupt

    with stages.heard(interrupt), pytest.raises(KeyboardInterrupt):
        save_artifact(value, "a", materializer=Shown, include_visualizations=False)
    there = Client().list_artifact_versions().total
    assert there == (moment in ("committed", "described"))
    assert len(list(workspace.stores.active.places())) == there
    assert bool(workspace.stores.active.listdir("")) == bool(there)
    save_artifact(value, "a", materializer=Shown)


def test_a_version_that_goes_while_it_is_loaded_is_said_to_be_removed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = save_artifact("text", "a", materializer=Shown)
    monkeypatch.setitem(Shown.load.__globals__, "before_load", lambda: Client().delete_artifact("a"))
    with pytest.raises(VersionNotFound, match="version a/1 was removed while it was loaded"):
        version.load()


def test_an_error_of_a_materializer_that_loads_what_is_there_stays_as_it_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = save_artifact("text", "a", materializer=Shown)
    monkeypatch.setitem(Shown.load.__globals__, "before_load", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        version.load()
