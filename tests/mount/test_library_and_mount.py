"""The library and the mounts of one home show each other what they make, at once and without being told."""

from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from artfs import Model, load_artifact, log_artifact_metadata, register_artifact, save_artifact
from artfs.artifacts.load import load
from artfs.client import Client
from artfs.errors import UntrustedPickle
from artfs.materializers.pickle import CloudpickleMaterializer
from support.drafts import commit
from support.mount import Mount


@pytest.fixture
def mount(mounted: Mount, monkeypatch: pytest.MonkeyPatch) -> Mount:
    """A mount of the home that the library uses here."""
    monkeypatch.setenv("ARTFS_HOME", str(mounted.home))
    return mounted


class RunsCode:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.open, (str(self.trace), os.O_CREAT)


def test_a_saved_version_is_in_every_mount_at_once(mount: Mount, start_mount: Callable[..., Mount]) -> None:
    other = start_mount(beside=mount)
    for number in range(1, 11):
        saved = save_artifact({"number": number}, "settings", tags=["raw"])
        for each in (mount, other):
            folder = each.artifacts / "settings"
            assert os.readlink(folder / "latest") == os.readlink(folder / "@raw") == saved.version == str(number)
            assert json.loads((folder / "latest" / "data.json").read_text()) == {"number": number}
            assert json.loads((folder / "latest" / ".artfs" / "info.json").read_text())["id"] == str(saved.id)


def test_what_is_logged_tagged_and_removed_shows_in_the_mount(mount: Mount) -> None:
    save_artifact([1], "list")
    save_artifact([2], "list")
    folder = mount.artifacts / "list"
    log_artifact_metadata({"accuracy": 0.5}, "list", "1")
    assert json.loads((folder / "1" / ".artfs" / "metadata.json").read_text())["accuracy"] == 0.5
    Client().update_artifact_version("list", "1", add_tags=["best"])
    assert os.readlink(folder / "@best") == "1"
    Client().update_artifact_version("list", "1", remove_tags=["best"])
    Client().prune_artifacts()
    mount.wait_until(lambda: os.listdir(folder) == ["2", "latest"], "the version to be gone")


def test_a_version_that_is_removed_while_it_is_listed_is_an_error_and_no_empty_directory(mount: Mount) -> None:
    """The C library takes ENOENT for the end of the list, and `rsync --delete` would empty its copy."""
    draft = mount.incoming / "folder"
    (draft / "deep").mkdir(parents=True)
    (draft / "deep" / "file").write_bytes(b"content")
    version = mount.artifacts / "folder" / commit(draft)
    listing = [os.open(version / folder, os.O_RDONLY | os.O_DIRECTORY) for folder in (".", "deep")]
    Client().delete_artifact_version("folder", 1)
    for descriptor in listing:
        try:
            found = os.listdir(descriptor)
        except OSError as error:
            assert error.errno == errno.ESTALE
        else:
            assert found != []
        finally:
            os.close(descriptor)


def test_a_file_of_a_version_that_is_removed_is_stale_and_no_error_of_the_mount(mount: Mount) -> None:
    """A handle that was opened before, whose first read comes after; and one of a draft, which is removed as well."""
    draft = mount.incoming / "file"
    draft.write_bytes(os.urandom(300_000))
    version = mount.artifacts / "file" / commit(draft)
    handles = [os.open(path, os.O_RDONLY) for path in (version / "file", draft)]
    os.posix_fadvise(handles[1], 0, 0, os.POSIX_FADV_DONTNEED)
    draft.unlink()
    Client().delete_artifact_version("file", 1)
    for handle in handles:
        with pytest.raises(OSError) as raised:
            os.read(handle, 10)
        assert raised.value.errno == errno.ESTALE
        os.close(handle)
    assert mount.status()["errors"]["count"] == 0
    mount.wait_until(lambda: not (version / "file").exists())
    assert not (version / ".artfs/manifest.json").exists()


def test_a_file_from_incoming_is_a_path_with_its_name_in_the_library(mount: Mount) -> None:
    (mount.incoming / "table.csv").write_text("a,b\n1,2\n")
    commit(mount.incoming / "table.csv")
    loaded = load_artifact("table.csv")
    assert (loaded.name, loaded.read_text()) == ("table.csv", "a,b\n1,2\n")
    assert [version.version for version in Client().list_artifact_versions(artifact="table.csv")] == ["1"]


def test_a_folder_from_incoming_is_a_path_with_all_files_in_the_library(mount: Mount, tmp_path: Path) -> None:
    draft = mount.incoming / "model"
    (draft / "deep").mkdir(parents=True)
    (draft / "weights").write_bytes(b"one")
    (draft / "deep" / "config").write_text("{}")
    (draft / "link").symlink_to("weights")
    commit(draft)
    first = load_artifact("model")
    assert sorted(str(path.relative_to(first)) for path in first.rglob("*")) == [
        "deep",
        "deep/config",
        "link",
        "weights",
    ]
    (draft / "weights").write_bytes(b"two")
    commit(draft)
    assert (load_artifact("model") / "link").read_bytes() == b"two"
    assert (first / "weights").read_bytes() == b"one"
    changes = Client().get_artifact_version("model", "1").diff(Client().get_artifact_version("model"))
    assert [(each.path, each.status) for each in changes] == [("weights", "changed")]
    out = Client().get_artifact_version("model").download_files(tmp_path / "out")
    assert (out / "deep" / "config").read_text() == "{}"


def test_a_folder_with_one_file_from_incoming_is_still_a_folder(mount: Mount) -> None:
    (mount.incoming / "set").mkdir()
    (mount.incoming / "set" / "only").write_text("x")
    commit(mount.incoming / "set")
    assert load_artifact("set").is_dir()
    assert (load_artifact("set") / "only").read_text() == "x"


def test_a_pickle_from_incoming_or_registered_runs_no_code_without_trust(mount: Mount, tmp_path: Path) -> None:
    """Also where it lies as the library's own pickles do."""
    trace, draft = tmp_path / "was run", mount.incoming / "model"
    draft.mkdir()
    (draft / CloudpickleMaterializer.DATA_FILE).write_bytes(pickle.dumps(RunsCode(trace)))
    (draft / CloudpickleMaterializer.PYTHON_FILE).write_text('{"python": "3.11"}')
    commit(draft)
    register_artifact(load_artifact("model"), "registered")
    for name in ("model", "registered"):
        assert (load_artifact(name) / CloudpickleMaterializer.DATA_FILE).is_file()
        version = Client().get_artifact_version(name)
        with pytest.raises(UntrustedPickle, match="loading it would run its code"):
            load(Client().workspace, version.row, materializer=CloudpickleMaterializer)
    assert not trace.exists()
    load(Client().workspace, version.row, materializer=CloudpickleMaterializer, trust=True)
    assert trace.exists()


def test_a_saved_version_copied_into_incoming_is_files_and_not_trusted(mount: Mount) -> None:
    saved = save_artifact({"a": object}, "original")
    mount.run(["cp", "-r", mount.artifacts / "original" / "1", mount.incoming / "copy"])
    mount.commit("copy")  # its directory is read-only, as that of the version is
    copied = Client().get_artifact_version("copy")
    assert (saved.row.trusted, copied.row.trusted) == (True, False)
    assert isinstance(load_artifact("copy"), Path)


def test_a_version_that_is_only_in_the_mount_feeds_the_library_and_back(mount: Mount) -> None:
    """What programs write is loaded, changed and saved; what is saved is read by programs."""
    (mount.incoming / "numbers.txt").write_text("1 2 3")
    commit(mount.incoming / "numbers.txt")
    save_artifact(load_artifact("numbers.txt"), "kept")
    assert mount.run(["cat", mount.artifacts / "kept" / "latest" / "numbers.txt"]).stdout == "1 2 3"


def test_a_model_is_a_directory_of_links_that_follow_its_stages(mount: Mount) -> None:
    models = mount.path / "models"
    for number in (1, 2):
        Model("classifier", number).link(save_artifact({"number": number}, "settings"))
    Model("classifier", 1).set_stage("production")
    assert sorted(os.listdir(models / "classifier")) == ["1", "2", "latest", "production"]
    in_production = models / "classifier" / "production" / "settings"
    assert os.readlink(in_production) == "../../../artifacts/settings/1"
    assert json.loads((in_production / "data.json").read_text()) == {"number": 1}
    Model("classifier", 2).set_stage("production", force=True)
    assert json.loads((in_production / "data.json").read_text()) == {"number": 2}
    Model("classifier", 2).link(save_artifact({"number": 3}, "settings"))
    assert json.loads((in_production / "data.json").read_text()) == {"number": 3}
    with pytest.raises(OSError, match=r"Read-only|Permission"):
        (models / "other").mkdir()
    Client().delete_model("classifier")
    assert os.listdir(models) == []
